/*
 * A stand-in for control that a benchmark or a try by hand needs: attaches to a running
 * dataplane, sets two realms and N streams between them, and samples what left the ports.
 *
 *   flow_loader -s SOCKET -a LOCAL/LEN -A FIRST_REMOTE -b LOCAL/LEN -B FIRST_REMOTE
 *               [-v VLAN] [-V VLAN] [-l ADDRESSES] [-p FIRST_PORT] [-P REMOTE_PORT]
 *               [-n STREAMS] [-t SECONDS] [-c CHURN] [-R SIP_RATE] [-D DENIED] [-d] [-e]
 *
 * Streams fill the ports of LOCAL, then those of the next address, ADDRESSES in all: stream i is
 * realm 0's LOCAL:FIRST_PORT+2i, remote FIRST_REMOTE+i:REMOTE_PORT, and the same in realm 1. With
 * -c CHURN more are added and removed without end, and as many of the others changed. With -D so
 * many sources from FIRST_REMOTE on are denied. With -d SIP is taken from the rings as fast as it
 * comes; with -e datagrams to LOCAL:5060 go back to where they came from. Streams stay when it
 * ends. Prints one JSON object a line; ends with 3 if the dataplane refuses what was asked.
 */
#include <unistd.h>

#include "loader.h"

static void side_parse(struct loader_side *s, const char *prefix, const char *remote)
{
	if (prefix == NULL || remote == NULL ||
		net_prefix_parse(
			(struct str_view){prefix, strlen(prefix)}, &s->local, &s->prefix_len) < 0 ||
		net_addr_parse((struct str_view){remote, strlen(remote)}, &s->remote) < 0)
		loader_die("addresses", -22);
}

static uint32_t number(const char *text)
{
	return (uint32_t)strtoul(text, NULL, 10);
}

static bool option_take(int opt, const char *arg)
{
	struct loader_options *o = &loader_options;
	const struct {
		char opt;
		uint32_t *field;
	} numbers[] = {{'n', &o->streams}, {'l', &o->addresses}, {'t', &o->seconds},
		{'c', &o->churn}, {'R', &o->sip_rate}, {'D', &o->denied}};

	for (unsigned int i = 0; i < ARRAY_LEN(numbers); i++) {
		if (numbers[i].opt == opt) {
			*numbers[i].field = number(arg);
			return true;
		}
	}
	switch (opt) {
	case 's':
		o->socket = arg;
		return true;
	case 'p':
		o->first_port = (uint16_t)number(arg);
		return true;
	case 'P':
		o->remote_port = (uint16_t)number(arg);
		return true;
	case 'v':
	case 'V':
		o->side[opt == 'V'].vlan = (uint16_t)number(arg);
		return true;
	case 'd':
		return o->drain = true;
	case 'e':
		return o->echo = true;
	default:
		return false;
	}
}

int main(int argc, char **argv)
{
	const char *local[2] = {NULL, NULL}, *remote[2] = {NULL, NULL};
	uint64_t failed;
	char why[256];
	int opt;

	while ((opt = getopt(argc, argv, "s:a:A:b:B:v:V:l:p:P:n:t:c:R:D:de")) != -1) {
		if (opt == 'a' || opt == 'b')
			local[opt - 'a'] = optarg;
		else if (opt == 'A' || opt == 'B')
			remote[opt - 'A'] = optarg;
		else if (!option_take(opt, optarg))
			return 2;
	}
	side_parse(&loader_options.side[0], local[0], remote[0]);
	side_parse(&loader_options.side[1], local[1], remote[1]);
	if (loader_options.socket == NULL || loader_options.addresses == 0)
		return 2;
	if (attach_connect(loader_options.socket, 1, &(struct attach_keys){{1, 2}, {3, 4}},
		    &loader_session, why, sizeof(why)) < 0) {
		fprintf(stderr, "flow_loader: %s\n", why);
		return 1;
	}
	loader_realms_set();
	loader_sources_deny();
	loader_streams_add();
	failed = loader_commands_finish();
	printf("{\"set\": %llu, \"failed\": %llu}\n", (unsigned long long)loader_done(),
		(unsigned long long)failed);
	fflush(stdout);
	if (failed == 0)
		loader_run();
	attach_fini(&loader_session);
	return failed == 0 ? 0 : 1;
}
