/*
 * What a message is to the policer: class, method, lane token; which give way first; and what
 * a kernel-bound packet is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "punt_look.h"
#include "sip_up.h"

#define TOKEN "@" /* stands for a token of ours */

static const uint64_t lane_key[2] = {3, 4};

static const struct {
	const char *start, *to, *from, *branch;
	enum sip_class sip_class;
	enum police_method method;
	bool lane;
} cases[] = {
	{"INVITE sip:b@c SIP/2.0", "", "x", "x", SIP_CLASS_NEW, POLICE_INVITE, false},
	{"REGISTER sip:b@c SIP/2.0", "", "x", "x", SIP_CLASS_NEW, POLICE_REGISTER, false},
	{"SUBSCRIBE sip:b@c SIP/2.0", "", "x", "x", SIP_CLASS_NEW, POLICE_OTHER, false},
	{"OPTIONS sip:b@c SIP/2.0", "", "x", "x", SIP_CLASS_OUT, POLICE_OPTIONS, false},
	{"MESSAGE sip:b@c SIP/2.0", "", "x", "x", SIP_CLASS_OUT, POLICE_OTHER, false},
	{"FOO sip:b@c SIP/2.0", "", "x", "x", SIP_CLASS_OUT, POLICE_OTHER, false},
	{"CANCEL sip:b@c SIP/2.0", "", "x", "x", SIP_CLASS_DIALOG, POLICE_METHOD_COUNT, false},
	{"ACK sip:b@c SIP/2.0", ";tag=y", "x", "x", SIP_CLASS_DIALOG, POLICE_METHOD_COUNT, false},
	{"INVITE sip:b@c SIP/2.0", ";tag=y", "x", "x", SIP_CLASS_DIALOG, POLICE_METHOD_COUNT,
		false},
	{"BYE sip:b@c SIP/2.0", ";tag=" TOKEN, "x", "x", SIP_CLASS_DIALOG, POLICE_METHOD_COUNT,
		true},
	{"BYE sip:b@c SIP/2.0", ";tag=" TOKEN "-s1", "x", "x", SIP_CLASS_DIALOG,
		POLICE_METHOD_COUNT, true},
	{"BYE sip:b@c SIP/2.0", ";tag=a" TOKEN, "x", "x", SIP_CLASS_DIALOG, POLICE_METHOD_COUNT,
		false},
	{"ACK sip:b@c SIP/2.0", ";tag=" TOKEN, "x", "x", SIP_CLASS_DIALOG, POLICE_METHOD_COUNT,
		true},
	/* of a request the peer chose From tag and branch */
	{"BYE sip:b@c SIP/2.0", ";tag=y", TOKEN, TOKEN, SIP_CLASS_DIALOG, POLICE_METHOD_COUNT,
		false},
	{"OPTIONS sip:b@c SIP/2.0", "", TOKEN, TOKEN, SIP_CLASS_OUT, POLICE_OPTIONS, false},
	{"SIP/2.0 200 OK", ";tag=y", "x", "x", SIP_CLASS_DIALOG, POLICE_METHOD_COUNT, false},
	{"SIP/2.0 200 OK", ";tag=y", TOKEN, "x", SIP_CLASS_DIALOG, POLICE_METHOD_COUNT, true},
	{"SIP/2.0 100 Trying", "", "x", "z9hG4bK" TOKEN, SIP_CLASS_DIALOG, POLICE_METHOD_COUNT,
		true},
	{"SIP/2.0 100 Trying", "", "x", TOKEN, SIP_CLASS_DIALOG, POLICE_METHOD_COUNT, false},
	/* and of a response the To tag */
	{"SIP/2.0 200 OK", ";tag=" TOKEN, "x", "x", SIP_CLASS_DIALOG, POLICE_METHOD_COUNT, false},
};

static void token_put(char *text, size_t size, const char *from, const char *token)
{
	const char *at = strchr(from, TOKEN[0]);

	if (at == NULL)
		snprintf(text, size, "%s", from);
	else
		snprintf(text, size, "%.*s%s%s", (int)(at - from), from, token, at + 1);
}

static void classes_and_lane(void **state)
{
	const struct net_addr peer = net_addr_v4(&(uint32_t){0x01020304});
	const struct net_addr other = net_addr_v4(&(uint32_t){0x01020305});
	char token[LANE_TOKEN_LEN + 1] = {0};

	lane_token_build(lane_key, &peer, 77, token);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char to[64], from[64], branch[64], msg[1024];
		bool response = strncmp(cases[i].start, "SIP/", 4) == 0;
		const char *method = response ? "INVITE" : cases[i].start;
		struct sip_index idx;
		uint64_t nonce = 0;
		int len;

		token_put(to, sizeof(to), cases[i].to, token);
		token_put(from, sizeof(from), cases[i].from, token);
		token_put(branch, sizeof(branch), cases[i].branch, token);
		len = snprintf(msg, sizeof(msg),
			"%s\r\nVia: SIP/2.0/UDP h;branch=%s\r\nFrom: <sip:a@b>;tag=%s\r\n"
			"To: <sip:c@d>%s\r\nCall-ID: x\r\nCSeq: 2 %.*s\r\n\r\n",
			cases[i].start, branch, from, to, (int)strcspn(method, " "), method);
		assert_int_equal(sip_scan(msg, (size_t)len, &idx), SIP_SCAN_NONE);
		if (sip_up_class(&idx) != cases[i].sip_class ||
			sip_up_in_lane(lane_key, &peer, msg, &idx, &nonce) != cases[i].lane)
			fail_msg("case %zu: %s", i, msg);
		assert_int_equal(sip_up_method(&idx, cases[i].sip_class), cases[i].method);
		assert_int_equal(nonce, cases[i].lane ? 77 : 0);
		/* from another address it is worth nothing */
		assert_false(sip_up_in_lane(lane_key, &other, msg, &idx, &nonce));
	}
}

/* From the first that gives way to the last; equal numbers may go together. */
static void who_gives_way_first(void **state)
{
	static const struct {
		enum source_class source_class;
		enum sip_class sip_class;
		enum drop_reason reason;
		unsigned int rank;
	} order[] = {
		{SOURCE_UNTRUSTED, SIP_CLASS_NEW, DROP_UP_FULL_NEW, 0},
		{SOURCE_UNTRUSTED, SIP_CLASS_OUT, DROP_UP_FULL_OUT, 1},
		{SOURCE_TRUSTED, SIP_CLASS_OUT, DROP_UP_FULL_TRUSTED, 2},
		{SOURCE_TRUSTED, SIP_CLASS_NEW, DROP_UP_FULL_TRUSTED, 3},
		{SOURCE_UNTRUSTED, SIP_CLASS_DIALOG, DROP_UP_FULL, 4},
		{SOURCE_TRUSTED, SIP_CLASS_DIALOG, DROP_UP_FULL, 5},
		{SOURCE_UNTRUSTED, SIP_CLASS_LANE, DROP_UP_FULL_LANE, 6},
		{SOURCE_TRUSTED, SIP_CLASS_LANE, DROP_UP_FULL_LANE, 6},
		{SOURCE_DENIED, SIP_CLASS_LANE, DROP_UP_FULL_LANE, 6},
	};

	for (size_t i = 0; i < ARRAY_LEN(order); i++) {
		const struct sip_up_admission *a =
			&sip_up_admission[order[i].source_class][order[i].sip_class];

		assert_int_equal(a->reason, order[i].reason);
		for (size_t k = 0; k < i; k++) {
			const struct sip_up_admission *b =
				&sip_up_admission[order[k].source_class][order[k].sip_class];

			if (order[k].rank < order[i].rank)
				assert_true(b->free_min > a->free_min);
		}
	}
	assert_int_equal(sip_up_admission[SOURCE_TRUSTED][SIP_CLASS_LANE].free_min, 0);
	/* each class in front leaves at least a twentieth of the ring */
	assert_true(sip_up_admission[SOURCE_UNTRUSTED][SIP_CLASS_NEW].free_min <= 70);
}

/* --- kernel-bound --- */

/* Frames without their two MAC addresses. */
static const struct {
	const char *hex;
	enum punt_share share;
	bool tcp, syn;
} frames[] = {
	{"0806"
	 "0001080006040001",
		PUNT_SHARE_ARP, false, false},
	{"8100"
	 "0064"
	 "0806"
	 "0001",
		PUNT_SHARE_ARP, false, false},
	{"0800"
	 "45000028"
	 "00000000"
	 "40060000"
	 "c0000202"
	 "c0000201"
	 "13c4c350"
	 "00000001"
	 "00000000"
	 "5002ffff"
	 "00000000",
		PUNT_SHARE_REST, true, true},
	{"0800"
	 "45000028"
	 "00000000"
	 "40060000"
	 "c0000202"
	 "c0000201"
	 "13c4c350"
	 "00000001"
	 "00000000"
	 "5012ffff"
	 "00000000",
		PUNT_SHARE_REST, true, false},
	{"0800"
	 "45000028"
	 "00000000"
	 "40060000"
	 "c0000202"
	 "c0000201"
	 "13c4c350"
	 "00000001",
		PUNT_SHARE_REST, true, false}, /* cut */
	{"0800"
	 "4500001c"
	 "00000000"
	 "40010000"
	 "c0000202"
	 "c0000201"
	 "0800f7ff00000000",
		PUNT_SHARE_ICMP, false, false},
	{"0800"
	 "4500001c"
	 "00000000"
	 "40110000"
	 "c0000202"
	 "c0000201"
	 "0035003500080000",
		PUNT_SHARE_REST, false, false},
	{"86dd"
	 "60000000"
	 "00083aff"
	 "20010db8000000000000000000000002"
	 "ff020000000000000000000000000001"
	 "87000000",
		PUNT_SHARE_ND, false, false},
	{"86dd"
	 "60000000"
	 "00083aff"
	 "20010db8000000000000000000000002"
	 "20010db8000000000000000000000001"
	 "80000000",
		PUNT_SHARE_ICMP, false, false},
	{"86dd"
	 "60000000"
	 "00143aff"
	 "20010db8000000000000000000000002"
	 "20010db8000000000000000000000001",
		PUNT_SHARE_ICMP, false, false}, /* cut */
	{"86dd"
	 "60000000"
	 "001406ff"
	 "20010db8000000000000000000000002"
	 "20010db8000000000000000000000001"
	 "13c4c350"
	 "00000001"
	 "00000000"
	 "50020000"
	 "00000000",
		PUNT_SHARE_REST, true, true},
	{"0800"
	 "45",
		PUNT_SHARE_REST, false, false},
	{"88cc", PUNT_SHARE_REST, false, false},
	{"08", PUNT_SHARE_REST, false, false},
};

static unsigned int hex_get(const char *hex, uint8_t *out)
{
	unsigned int n = 0;

	for (; *hex != '\0'; hex += 2) {
		unsigned int byte;

		assert_int_equal(sscanf(hex, "%2x", &byte), 1);
		out[n++] = (uint8_t)byte;
	}
	return n;
}

static void what_a_kernel_bound_frame_is(void **state)
{
	static uint8_t data[256];

	for (size_t i = 0; i < ARRAY_LEN(frames); i++) {
		unsigned int len = 12 + hex_get(frames[i].hex, data + 12);
		struct rte_mbuf m = {.buf_addr = data, .data_len = (uint16_t)len, .pkt_len = len};
		bool ip = data[12] == 0x08 && data[13] == 0 ? len >= 34 : data[12] == 0x86;

		/* whole, and with the Ethernet header taken off */
		for (int stripped = 0; stripped < (ip ? 2 : 1); stripped++) {
			struct punt_look look;

			if (stripped)
				pkt_strip_frame(&m, sizeof(struct rte_ether_hdr));
			look = punt_look(&m);
			if (look.share != frames[i].share)
				fail_msg("frame %zu", i);
			assert_int_equal(look.tcp, frames[i].tcp);
			assert_int_equal(look.syn, frames[i].syn);
			assert_int_equal(look.has_src, stripped);
			if (stripped)
				assert_int_equal(look.src.bytes[3], data[12] == 0x08 ? 2 : 0xb8);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(classes_and_lane),
		cmocka_unit_test(who_gives_way_first),
		cmocka_unit_test(what_a_kernel_bound_frame_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
