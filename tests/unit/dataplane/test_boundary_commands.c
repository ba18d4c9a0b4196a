/* The boundary end to end: commands, their answers, and what is refused. */
#include "control_side.h"

static void test_commands_and_their_answers(void **state)
{
	struct rec_stream_del d = {.id = 9, .local = test_endpoint("192.0.2.10", 10000)};
	struct rec_stream_set r = stream(9, 10000);
	struct control c;
	union event ev;

	assert_int_equal(connect_control(&c), 0);
	configure(&c.s.main);
	/* A shard's stream: answers and events come on that shard's ring. */
	assert_int_equal(COMMAND(&c.s.shard[1], r, REC_STREAM_SET), 0);
	assert_int_equal(stats_region->streams, 1);
	d.cmd.cookie = 5;
	send_record(&c.s.shard[1], &d, sizeof(d), REC_STREAM_DEL);
	assert_int_equal(next_event(&c.s.shard[1], &ev), sizeof(ev.stream));
	assert_int_equal(ev.hdr.type, REC_STREAM_GONE);
	assert_int_equal(ev.stream.id, 9);
	assert_int_equal(next_event(&c.s.shard[1], &ev), sizeof(ev.done));
	assert_int_equal(ev.done.cookie, 5);
	assert_int_equal(ev.done.status, 0);
	assert_int_equal(COMMAND(&c.s.shard[1], d, REC_STREAM_DEL), -ENOENT);
	assert_int_equal(stats_region->records_malformed, 0);
	attach_fini(&c.s);
}

/* threats.md row 28: where media must never go, in any spelling. */
static void test_forbidden_remotes(void **state)
{
	static const struct {
		const char *addr;
		int status;
	} cases[] = {{"127.0.0.1", -EACCES}, {"0.0.0.0", -EACCES}, {"224.0.0.1", -EACCES},
		{"255.255.255.255", -EACCES}, {"169.254.1.1", -EACCES}, {"::", -EACCES},
		{"::1", -EACCES}, {"ff02::1", -EACCES}, {"::ffff:127.0.0.1", -EACCES},
		{"::ffff:203.0.113.5", -EINVAL}, {"2001:db8::5", -EAFNOSUPPORT},
		{"192.0.2.10", -EACCES}, {"198.51.100.10", -EACCES}, {"203.0.113.6", 0},
		{"10.0.0.1", 0}};
	struct control c;

	assert_int_equal(connect_control(&c), 0);
	configure(&c.s.main);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct rec_stream_set r = stream(9, 10000);
		int status;

		r.end[0].remote.addr = test_addr(cases[i].addr);
		status = COMMAND(&c.s.main, r, REC_STREAM_SET);
		if (status != cases[i].status)
			fail_msg("%s: %d", cases[i].addr, status);
	}
	attach_fini(&c.s);
}

static int address_v6(struct control *c, uint16_t realm, const char *addr, const char *gateway)
{
	struct rec_address_set a = {.addr = test_addr(addr), .realm = realm, .prefix_len = 64};

	if (gateway != NULL)
		a.gateway = test_addr(gateway);
	return COMMAND(&c->s.main, a, REC_ADDRESS_SET);
}

static void test_forbidden_remotes_v6(void **state)
{
	static const struct {
		const char *addr;
		int status;
	} cases[] = {{"::", -EACCES}, {"::1", -EACCES}, {"::127.0.0.1", -EACCES},
		{"::ffff:127.0.0.1", -EACCES}, {"::ffff:0.0.0.0", -EACCES},
		{"::ffff:192.0.2.10", -EACCES}, {"::ffff:203.0.113.5", -EINVAL},
		{"fe80::1", -EACCES}, {"febf::1", -EACCES}, {"ff02::1", -EACCES},
		{"ff0e::1", -EACCES}, {"2001:db8:1::10", -EACCES}, {"2001:db8:2::10", -EACCES},
		{"203.0.113.6", -EAFNOSUPPORT}, {"2001:db8:1::11", 0}, {"2001:db8:9::5", 0},
		{"fd00::1", 0}};
	struct rec_media_range_set m = {.addr = test_addr("2001:db8:1::10"),
		.realm = 0,
		.port_min = 10000,
		.port_max = 10999};
	struct control c;

	assert_int_equal(connect_control(&c), 0);
	configure(&c.s.main);
	assert_int_equal(address_v6(&c, 0, "2001:db8:1::10", NULL), 0);
	assert_int_equal(address_v6(&c, 1, "2001:db8:2::10", NULL), 0);
	assert_int_equal(COMMAND(&c.s.main, m, REC_MEDIA_RANGE_SET), 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct rec_stream_set r = stream(9, 10000);
		int status;

		r.end[0].local.addr = m.addr;
		r.end[0].allowed = test_addr("2001:db8:9::5");
		r.end[0].remote.addr = test_addr(cases[i].addr);
		status = COMMAND(&c.s.main, r, REC_STREAM_SET);
		if (status != cases[i].status)
			fail_msg("%s: %d", cases[i].addr, status);
	}
	attach_fini(&c.s);
}

static void test_addresses_and_gateways_v6(void **state)
{
	static const struct {
		const char *addr, *gateway;
		int status;
	} cases[] = {{"2001:db8:1::10", "fe80::1", 0}, {"2001:db8:1::10", "2001:db8:ffff::1", 0},
		{"2001:db8:1::10", "ff02::2", -EINVAL}, {"2001:db8:1::10", "::", -EINVAL},
		{"2001:db8:1::10", "::1", -EINVAL}, {"2001:db8:1::10", "192.0.2.1", -EINVAL},
		{"2001:db8:1::10", "::ffff:192.0.2.1", -EINVAL},
		{"2001:db8:1::10", "2001:db8:1::10", -EINVAL}, {"192.0.2.77", "fe80::1", -EINVAL},
		{"192.0.2.77", "169.254.0.1", -EINVAL}, {"fe80::10", NULL, -EINVAL},
		{"ff02::10", NULL, -EINVAL}, {"::1", NULL, -EINVAL},
		{"::ffff:192.0.2.77", NULL, -EINVAL}};
	struct control c;

	assert_int_equal(connect_control(&c), 0);
	configure(&c.s.main);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct rec_address_set a = {
			.addr = test_addr(cases[i].addr), .realm = 0, .prefix_len = 24};
		int status;

		if (cases[i].gateway != NULL)
			a.gateway = test_addr(cases[i].gateway);
		status = COMMAND(&c.s.main, a, REC_ADDRESS_SET);
		if (status != cases[i].status)
			fail_msg("%s via %s: %d", cases[i].addr, cases[i].gateway, status);
	}
	attach_fini(&c.s);
}

static void test_values_out_of_range(void **state)
{
	struct control c;
	struct rec_realm_set realm = {.name = "realm", .realm = 0, .port = 0};
	struct rec_stream_set r;
	struct rec_address_set a = {.addr = test_addr("192.0.2.77"), .realm = 0, .prefix_len = 33};

	assert_int_equal(connect_control(&c), 0);
	configure(&c.s.main);
	memset(realm.name, 'x', sizeof(realm.name)); /* no NUL */
	assert_int_equal(COMMAND(&c.s.main, realm, REC_REALM_SET), -EINVAL);
	memcpy(realm.name, "ok", 3);
	realm.port = 5; /* no such port */
	assert_int_equal(COMMAND(&c.s.main, realm, REC_REALM_SET), -ENODEV);
	realm.port = 0;
	realm.realm = API_REALMS_MAX;
	assert_int_equal(COMMAND(&c.s.main, realm, REC_REALM_SET), -EINVAL);
	assert_int_equal(COMMAND(&c.s.main, a, REC_ADDRESS_SET), -EINVAL);
	a.prefix_len = 24;
	a.addr.family = 5;
	assert_int_equal(COMMAND(&c.s.main, a, REC_ADDRESS_SET), -EAFNOSUPPORT);
	a.addr = test_addr("192.0.2.77");
	a.addr.bytes[9] = 1; /* not all of the rest zero */
	assert_int_equal(COMMAND(&c.s.main, a, REC_ADDRESS_SET), -EINVAL);
	a.addr = test_addr("192.0.2.77");
	a.realm = 9;
	assert_int_equal(COMMAND(&c.s.main, a, REC_ADDRESS_SET), -ENOENT);

#define REFUSED(change, code) \
	do { \
		r = stream(9, 10000); \
		change; \
		assert_int_equal(COMMAND(&c.s.main, r, REC_STREAM_SET), code); \
	} while (0)
	REFUSED(r.kind = STREAM_KIND_COUNT, -EINVAL);
	REFUSED(r.end[0].flags = 0x80, -EINVAL);
	REFUSED(r.end[0].local.port = 0, -EINVAL);
	REFUSED(r.end[0].remote.port = 0, -EINVAL);
	REFUSED(r.end[1].remote.port = 1, -EINVAL);
	REFUSED(r.end[0].prefix_len = 33, -EINVAL);
	REFUSED(r.end[0].realm = 77, -ENOENT);
	REFUSED(r.end[0].realm = API_REALMS_MAX, -EINVAL);
	REFUSED(r.end[0].allowed = test_addr("2001:db8::1"), -EAFNOSUPPORT);
	assert_int_equal(stats_region->streams, 0);
	attach_fini(&c.s);
}

static void test_malformed_records_are_counted_and_dropped(void **state)
{
	struct rec_sync sync = {0};
	struct rec_stream_set r = stream(9, 10000);
	struct control c;
	union event ev;
	uint32_t seed = 7;

	assert_int_equal(connect_control(&c), 0);
	assert_true(next_event(&c.s.main, &ev) > 0); /* the end of the dump */
	send_record(&c.s.main, &sync, sizeof(sync), REC_NONE);
	send_record(&c.s.main, &sync, sizeof(sync), REC_DONE);
	send_record(&c.s.main, &sync, sizeof(sync), 0xffff);
	send_record(&c.s.main, &sync, sizeof(struct record_hdr), REC_SYNC);
	send_record(&c.s.main, &r, sizeof(r) - 8, REC_STREAM_SET);
	send_record(&c.s.main, &r, sizeof(r), REC_SYNC);
	assert_int_equal(next_event(&c.s.main, &ev), 0);
	assert_int_equal(stats_region->records_malformed, 6);

	/* Noise over the whole ring, cursors included: the other side stays up and sane. */
	for (unsigned int round = 0; round < 200; round++) {
		uint8_t *bytes = (uint8_t *)c.s.main.cmd.shared;

		for (size_t i = 0; i < 256 + 4096; i++) {
			seed = seed * 1664525 + 1013904223;
			bytes[i] = (uint8_t)(seed >> 24);
		}
		c.s.main.cmd.shared->asleep = 0;
		boundary_process();
	}
	assert_true(stats_region->records_malformed > 100);
	/* The other groups are served as ever. */
	assert_int_equal(COMMAND(&c.s.shard[0], sync, REC_SYNC), 0);
	attach_fini(&c.s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_commands_and_their_answers),
		T(test_forbidden_remotes),
		T(test_forbidden_remotes_v6),
		T(test_addresses_and_gateways_v6),
		T(test_values_out_of_range),
		T(test_malformed_records_are_counted_and_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
