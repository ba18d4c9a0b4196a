#include "police.h"

#include <rte_memory.h>
#include <rte_ring_elem.h>

#include "worker.h"

#define SET_RING 8192
#define EVENT_RING 1024
/* Taken from main in one loop. */
#define SET_BUDGET 256

/* The whole table is looked at in this time, a few sets a millisecond. */
#define AGE_ROUND_MS 30000
#define AGE_STEP_MS 4

static struct rte_ring *notes_make(const char *what, unsigned int worker, unsigned int size)
{
	char name[RTE_RING_NAMESIZE];

	snprintf(name, sizeof(name), "%s-%u", what, worker);
	return rte_ring_create_elem(name, sizeof(struct police_note), size, SOCKET_ID_ANY,
		RING_F_SP_ENQ | RING_F_SC_DEQ);
}

struct police *police_new(
	unsigned int index, unsigned int workers, uint32_t sources, const uint64_t key[2])
{
	struct police *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->workers = workers;
	p->sources = source_table_new(sources, key);
	p->lanes = aligned_alloc(64, LANE_SETS * sizeof(*p->lanes));
	p->set = notes_make("source-set", index, SET_RING);
	p->event = notes_make("source-event", index, EVENT_RING);
	if (p->sources == NULL || p->lanes == NULL || p->set == NULL || p->event == NULL) {
		police_free(p);
		return NULL;
	}
	memset(p->lanes, 0, LANE_SETS * sizeof(*p->lanes));
	return p;
}

void police_free(struct police *p)
{
	if (p == NULL)
		return;
	source_table_free(p->sources);
	free(p->lanes);
	rte_ring_free(p->set);
	rte_ring_free(p->event);
	free(p);
}

/* --- denial --- */

/* Main hears of it; what does not fit is not told, the source is denied all the same. */
static void event_tell(struct police *p, const struct source *s, uint32_t seconds)
{
	struct police_note note = {
		.source.addr.family = s->kind & 0xf,
		.source.port = s->port,
		.realm = s->realm,
		.source_class = s->source_class,
		.reason = s->reason,
		.seconds = seconds,
	};

	memcpy(note.source.addr.bytes, s->addr, sizeof(s->addr));
	if (rte_ring_sp_enqueue_elem(p->event, &note, sizeof(note)) == 0)
		main_wake();
}

/* A refusal that is the source's own fault. */
static void strike(struct police *p, struct source *s, const struct realm_police *limits,
	struct source_clock now)
{
	source_refuse(p->sources, s);
	if (limits->deny_after == 0)
		return;
	if ((uint16_t)((uint16_t)now.s - s->window_s) > limits->deny_window_s || s->strikes == 0) {
		s->strikes = 0;
		s->window_s = (uint16_t)now.s;
	}
	if (++s->strikes < limits->deny_after && s->strikes != UINT16_MAX)
		return;
	if (source_class_now(p->sources, s, now) == SOURCE_TRUSTED) {
		source_class_set(p->sources, s, SOURCE_UNTRUSTED, SOURCE_REASON_RATE, 0, now);
		s->flags |= SOURCE_WAS_TRUSTED;
		event_tell(p, s, 0);
	} else if (s->source_class == SOURCE_UNTRUSTED && limits->deny_s > 0) {
		source_class_set(
			p->sources, s, SOURCE_DENIED, SOURCE_REASON_RATE, limits->deny_s, now);
		event_tell(p, s, limits->deny_s);
	}
}

static enum source_class class_of(struct police *p, struct source *s, struct source_clock now)
{
	return s != NULL ? source_class_now(p->sources, s, now) : SOURCE_UNTRUSTED;
}

/* Of what control said, or of its rate? */
static bool by_control(const struct source *s)
{
	return s->reason != SOURCE_REASON_RATE;
}

bool police_denied(struct police *p, const struct source_key *own, const struct source_key *address,
	uint16_t listed, struct source_clock now)
{
	struct source *o = own != NULL ? source_find(p->sources, own) : NULL;
	struct source *a = address != NULL ? source_find(p->sources, address) : NULL;
	enum source_class own_class = class_of(p, o, now);
	struct source *by = NULL;

	if (own_class == SOURCE_DENIED)
		by = o;
	else if (class_of(p, a, now) == SOURCE_DENIED &&
		 (own_class != SOURCE_TRUSTED || by_control(a)))
		by = a;
	if (by == NULL || (listed != SOURCE_UNLISTED && by->reason != SOURCE_REASON_OPERATOR) ||
		(!by_control(by) && (by->flags & SOURCE_WAS_TRUSTED) != 0))
		return false;
	by->refused++;
	return true;
}

/* --- SIP --- */

/* The class of the sender, and whose entry says so (NULL: nobody's). */
static enum source_class sender_class(struct police *p, struct source *own, struct source *address,
	struct source_clock now, struct source **by)
{
	enum source_class source_class = class_of(p, own, now);

	*by = own;
	if (source_class != SOURCE_UNTRUSTED)
		return source_class;
	source_class = class_of(p, address, now);
	*by = source_class != SOURCE_UNTRUSTED ? address : NULL;
	return source_class;
}

static bool has(const struct source *s, unsigned int bucket, const struct rate_limit *limit,
	struct source_clock now)
{
	return s == NULL || token32_has(s->bucket[bucket], limit->rate, limit->burst, 1, now.us);
}

/* Take one token of the entry of a level, which is made if it is not there.
 * @param s  the entry where it was found and none was added since, else NULL.
 * @return it, or NULL: no place. */
static struct source *charge(struct police *p, struct source *s, const struct source_key *k,
	unsigned int bucket, const struct rate_limit *limit, struct source_clock now)
{
	if (s == NULL)
		s = source_add(p->sources, k, SOURCE_UNTRUSTED, now);
	if (s == NULL)
		return NULL;
	source_touch(s, now);
	token32_take(&s->bucket[bucket], limit->rate, 1, now.us);
	return s;
}

static int charge_own(struct police *p, const struct police_message *m, struct source *own,
	const struct realm_police *limits, struct source_clock now)
{
	uint32_t *overflow;

	own = charge(p, own, &m->own, BUCKET_SIP, &limits->sip, now);
	if (own == NULL) {
		overflow = &p->sources->tags[m->own.set].overflow_us;
		if (!token32_has(*overflow, limits->sip.rate, limits->sip.burst, 1, now.us))
			return DROP_SIP_SOURCES_FULL;
		token32_take(overflow, limits->sip.rate, 1, now.us);
		return POLICE_PASS;
	}
	if (m->method < POLICE_METHOD_COUNT)
		token32_take(&own->bucket[BUCKET_METHOD + m->method],
			limits->sip_method[m->method].rate, 1, now.us);
	own->messages++;
	return POLICE_PASS;
}

/* The buckets of the source itself. */
static int own_check(struct police *p, const struct police_message *m, struct source *own,
	const struct realm_police *limits, struct source_clock now)
{
	if (own == NULL)
		return POLICE_PASS;
	source_touch(own, now);
	if (!has(own, BUCKET_SIP, &limits->sip, now)) {
		strike(p, own, limits, now);
		return DROP_SIP_RATE;
	}
	if (m->method < POLICE_METHOD_COUNT &&
		!has(own, BUCKET_METHOD + m->method, &limits->sip_method[m->method], now)) {
		strike(p, own, limits, now);
		return DROP_SIP_METHOD_RATE;
	}
	return POLICE_PASS;
}

static int address_check(struct police *p, struct source *address,
	const struct realm_police *limits, struct source_clock now)
{
	if (address == NULL)
		return POLICE_PASS;
	source_touch(address, now);
	if (has(address, BUCKET_SIP, &limits->sip_address, now))
		return POLICE_PASS;
	strike(p, address, limits, now);
	return DROP_SIP_ADDRESS_RATE;
}

/* Neighbours in the prefix (its entry or NULL) or the realm are nobody's fault. */
static int neighbours_check(struct police *p, const struct police_message *m, struct source *prefix,
	const struct realm_police *limits, uint64_t now_ns, struct source_clock now)
{
	uint32_t rate = limits->sip_untrusted.rate, share = rate / p->workers;

	if (prefix != NULL) {
		source_touch(prefix, now);
		if (!has(prefix, BUCKET_SIP, &limits->sip_prefix, now)) {
			source_refuse(p->sources, prefix);
			return DROP_SIP_PREFIX_RATE;
		}
	}
	if (rate != 0 &&
		!token_take(&p->untrusted_full_ns[m->realm % API_REALMS_MAX],
			share == 0 ? 1 : share, limits->sip_untrusted.burst / p->workers, now_ns))
		return DROP_SIP_UNTRUSTED_RATE;
	return POLICE_PASS;
}

/* Checks first: who is refused anywhere has eaten nobody's tokens. New entries last: a flood that
 * is refused as a whole does not turn the table over. */
static int police_unlisted(struct police *p, const struct police_message *m, struct source *own,
	struct source *address, enum source_class source_class, struct source *by,
	const struct realm_police *limits, uint64_t now_ns, struct source_clock now)
{
	bool trusted = source_class == SOURCE_TRUSTED;
	bool with_address = limits->sip_address.rate != 0 && (!trusted || by == address);
	bool with_prefix = limits->sip_prefix.rate != 0 && !trusted;
	struct source *prefix =
		with_prefix ? source_find_fetched(p->sources, &m->prefix, m->fetched[2]) : NULL;
	int rc = own_check(p, m, own, limits, now);

	if (rc == POLICE_PASS && with_address)
		rc = address_check(p, address, limits, now);
	if (rc == POLICE_PASS && !trusted)
		rc = neighbours_check(p, m, prefix, limits, now_ns, now);
	if (rc == POLICE_PASS)
		rc = charge_own(p, m, own, limits, now);
	if (rc != POLICE_PASS)
		return rc;
	/* An entry that was added may have taken the place of one that was found. */
	if (own == NULL)
		address = prefix = NULL;
	if (with_address) {
		charge(p, address, &m->address, BUCKET_SIP, &limits->sip_address, now);
		if (address == NULL)
			prefix = NULL;
	}
	if (with_prefix)
		charge(p, prefix, &m->prefix, BUCKET_SIP, &limits->sip_prefix, now);
	return POLICE_PASS;
}

int police_sip(struct police *p, const struct police_message *m, const struct realm_police *limits,
	uint64_t now_ns, enum source_class *source_class)
{
	struct source_clock now = source_clock(now_ns);
	struct source *own = source_find_fetched(p->sources, &m->own, m->fetched[0]), *by;
	struct source *address = source_find_fetched(p->sources, &m->address, m->fetched[1]);

	*source_class = sender_class(p, own, address, now, &by);
	if (m->listed != SOURCE_UNLISTED)
		*source_class = SOURCE_TRUSTED;
	if (m->sip_class == SIP_CLASS_LANE)
		return lane_table_take(p->lanes, m->nonce, &limits->sip_dialog, now_ns)
			       ? POLICE_PASS
			       : DROP_SIP_DIALOG_RATE;
	if (m->listed != SOURCE_UNLISTED) {
		const struct source_entry *e = &source_entries[m->listed];

		return token_take(
			       &p->listed_full_ns[m->listed], e->limit.rate, e->limit.burst, now_ns)
			       ? POLICE_PASS
			       : DROP_SIP_PEER_RATE;
	}
	if (*source_class == SOURCE_DENIED) {
		by->refused++;
		return DROP_SIP_DENIED;
	}
	return police_unlisted(p, m, own, address, *source_class, by, limits, now_ns, now);
}

/* --- kernel-bound --- */

static int kernel_take(struct police *p, const struct source_key *k, unsigned int bucket,
	const struct rate_limit *limit, uint32_t n, int reason, struct source_clock now)
{
	struct source *s;

	if (limit->rate == 0)
		return POLICE_PASS;
	s = source_add(p->sources, k, SOURCE_UNTRUSTED, now);
	/* No place: the port's rate is the limit. */
	if (s == NULL)
		return POLICE_PASS;
	source_touch(s, now);
	if (!token32_has(s->bucket[bucket], limit->rate, limit->burst, n, now.us)) {
		source_refuse(p->sources, s);
		return reason;
	}
	token32_take(&s->bucket[bucket], limit->rate, n, now.us);
	return POLICE_PASS;
}

/* As police_denied(), but nothing here could be in the lane. */
static bool kernel_denied(struct police *p, const struct source_key *address, uint16_t listed,
	struct source_clock now)
{
	struct source *s = source_find(p->sources, address);

	if (class_of(p, s, now) != SOURCE_DENIED ||
		(listed != SOURCE_UNLISTED && s->reason != SOURCE_REASON_OPERATOR))
		return false;
	s->refused++;
	return true;
}

int police_kernel(struct police *p, const struct net_addr *addr, uint16_t realm,
	const struct realm_police *limits, enum police_kernel kind, uint32_t bytes, uint64_t now_ns)
{
	uint16_t listed = source_list_find(addr, realm, SOURCE_PORT_ANY);
	struct source_clock now = source_clock(now_ns);
	struct source_key k;

	if (listed != SOURCE_UNLISTED && source_list_action(listed) == LIST_DENY)
		return DROP_PUNT_DENIED;
	source_key(p->sources, addr, 0, realm, SOURCE_ADDRESS, &k);
	if (police_denies_addresses(p) && kernel_denied(p, &k, listed, now))
		return DROP_PUNT_DENIED;
	if (listed != SOURCE_UNLISTED)
		return POLICE_PASS;
	switch (kind) {
	case POLICE_TCP_SYN:
		return kernel_take(p, &k, BUCKET_TCP_SYN, &limits->tcp_syn, 1, DROP_PUNT_SYN, now);
	case POLICE_TCP:
		return kernel_take(
			p, &k, BUCKET_TCP_BYTES, &limits->tcp_bytes, bytes, DROP_PUNT_TCP, now);
	case POLICE_ICMP:
		return kernel_take(p, &k, BUCKET_ICMP, &limits->icmp, 1, DROP_PUNT_ICMP, now);
	default:
		return POLICE_PASS;
	}
}

/* --- once a loop --- */

static void set_apply(struct police *p, const struct police_note *n, struct source_clock now)
{
	struct source_key k;
	struct source *s;

	source_key(p->sources, &n->source.addr, n->source.port, n->realm,
		n->source.port != 0 ? SOURCE_PORT : SOURCE_ADDRESS, &k);
	s = n->source_class == SOURCE_UNTRUSTED
		    ? source_find(p->sources, &k)
		    : source_add(p->sources, &k, (enum source_class)n->source_class, now);
	if (s == NULL)
		return;
	source_touch(s, now);
	s->flags &= (uint8_t)~SOURCE_WAS_TRUSTED;
	source_class_set(p->sources, s, (enum source_class)n->source_class,
		(enum source_reason)n->reason, n->seconds, now);
}

void police_poll(struct police *p, uint64_t now_ns)
{
	struct source_clock now = source_clock(now_ns);
	uint32_t now_ms = (uint32_t)(now_ns / 1000000), passed = now_ms - p->aged_ms;
	struct police_note note;

	for (unsigned int i = 0; i < SET_BUDGET; i++) {
		if (rte_ring_sc_dequeue_elem(p->set, &note, sizeof(note)) != 0)
			break;
		set_apply(p, &note, now);
	}
	if (passed < AGE_STEP_MS)
		return;
	p->aged_ms = now_ms;
	if (passed > AGE_ROUND_MS)
		passed = AGE_STEP_MS;
	source_table_age(p->sources,
		(unsigned int)((uint64_t)p->sources->sets * passed / AGE_ROUND_MS) + 1, now);
}
