#include <arpa/inet.h>
#include <unistd.h>

#include "loader.h"

/* Ports of one local address, RTP on the even ones; RTCP's stay free. */
#define PORTS_A_STREAM 2

static uint32_t streams_an_address(void)
{
	const struct loader_options *o = &loader_options;

	return (o->streams + o->addresses - 1) / o->addresses;
}

static struct net_addr addr_plus(const struct net_addr *a, uint32_t n)
{
	size_t at = a->family == NET_FAMILY_V6 ? sizeof(a->bytes) - sizeof(n) : 0;
	struct net_addr sum = *a;
	uint32_t v;

	memcpy(&v, a->bytes + at, sizeof(v));
	v = htonl(ntohl(v) + n);
	memcpy(sum.bytes + at, &v, sizeof(v));
	return sum;
}

static void address_set(uint16_t realm, uint32_t i)
{
	const struct loader_options *o = &loader_options;
	struct net_addr addr = addr_plus(&o->side[realm].local, i);
	struct rec_address_set a = {
		.addr = addr, .realm = realm, .prefix_len = o->side[realm].prefix_len};
	struct rec_listener_set l = {.local = {.addr = addr, .port = 5060}, .realm = realm};
	uint32_t last = o->first_port + PORTS_A_STREAM * (streams_an_address() + o->churn) + 1;
	struct rec_media_range_set m = {.addr = addr,
		.realm = realm,
		.port_min = o->first_port,
		.port_max = (uint16_t)(last < UINT16_MAX ? last : UINT16_MAX)};

	loader_command(&a.cmd, sizeof(a), REC_ADDRESS_SET);
	loader_command(&l.cmd, sizeof(l), REC_LISTENER_SET);
	loader_command(&m.cmd, sizeof(m), REC_MEDIA_RANGE_SET);
}

static void realm_set(uint16_t realm)
{
	const struct rate_limit limit = {loader_options.sip_rate, loader_options.sip_rate};
	struct rec_realm_set r = {
		.realm = realm,
		.port = realm,
		.vlan = loader_options.side[realm].vlan,
		.dscp_media = 46,
		.dscp_sip = 24,
		.police = {.sip = limit,
			.sip_address = limit,
			.sip_prefix = limit,
			.sip_untrusted = limit,
			.sip_dialog = limit},
	};

	snprintf(r.name, sizeof(r.name), "bench%u", realm);
	for (unsigned int i = 0; i < POLICE_METHOD_COUNT; i++)
		r.police.sip_method[i] = limit;
	loader_command(&r.cmd, sizeof(r), REC_REALM_SET);
	for (uint32_t i = 0; i < loader_options.addresses; i++)
		address_set(realm, i);
}

void loader_realms_set(void)
{
	struct rec_sync sync = {0};

	realm_set(0);
	realm_set(1);
	loader_command(&sync.cmd, sizeof(sync), REC_SYNC);
	if (loader_commands_finish() > 0) {
		fprintf(stderr, "flow_loader: the dataplane refuses these realms\n");
		exit(LOADER_REFUSED);
	}
}

/* Streams behind options.streams share the first address, on the ports behind its own. */
static struct net_endpoint stream_local(uint16_t realm, uint32_t i)
{
	const struct loader_options *o = &loader_options;
	uint32_t address = 0, port = i;

	if (i < o->streams) {
		address = i / streams_an_address();
		port = i % streams_an_address();
	} else {
		port = streams_an_address() + i - o->streams;
	}
	return (struct net_endpoint){.addr = addr_plus(&o->side[realm].local, address),
		.port = (uint16_t)(o->first_port + PORTS_A_STREAM * port)};
}

static uint64_t stream_id(uint32_t i)
{
	return ((uint64_t)getpid() << 32) | i;
}

void loader_stream_set(uint32_t i, uint8_t end_flags)
{
	struct rec_stream_set s = {.id = stream_id(i), .kind = STREAM_RTP};

	for (uint16_t e = 0; e < 2; e++) {
		const struct loader_side *side = &loader_options.side[e];
		struct stream_end *end = &s.end[e];

		end->local = stream_local(e, i);
		end->remote = (struct net_endpoint){
			.addr = addr_plus(&side->remote, i), .port = loader_options.remote_port};
		end->allowed = end->remote.addr;
		end->realm = e;
		end->prefix_len = end->allowed.family == NET_FAMILY_V6 ? 128 : 32;
		end->flags = end_flags;
		/* A replay is faster than any call: policers work, and let all pass. */
		end->packets = (struct rate_limit){100000, 100000};
		end->bytes = (struct rate_limit){100000000, 100000000};
		end->clock_hz = 8000;
	}
	loader_command(&s.cmd, sizeof(s), REC_STREAM_SET);
}

void loader_stream_del(uint32_t i)
{
	struct rec_stream_del d = {.id = stream_id(i), .local = stream_local(0, i)};

	loader_command(&d.cmd, sizeof(d), REC_STREAM_DEL);
}

void loader_streams_add(void)
{
	for (uint32_t i = 0; i < loader_options.streams; i++)
		loader_stream_set(i, STREAM_END_RECEIVE);
}

void loader_sources_deny(void)
{
	for (uint16_t realm = 0; realm < 2; realm++) {
		for (uint32_t i = 0; i < loader_options.denied; i++) {
			struct rec_source_set s = {
				.source = {.addr = addr_plus(
						   &loader_options.side[realm].remote, i)},
				.realm = realm,
				.source_class = SOURCE_DENIED,
				.reason = SOURCE_REASON_OPERATOR,
				.seconds = 3600,
			};

			loader_command(&s.cmd, sizeof(s), REC_SOURCE_SET);
		}
	}
}
