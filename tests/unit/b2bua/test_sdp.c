/* SDP: what is read, what is refused, what is written; and the corpus. */
#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sdp.h"

#define HEAD "v=0\r\no=jdoe 1 2 IN IP4 192.0.2.66\r\ns=secret\r\nc=IN IP4 192.0.2.66\r\nt=0 0\r\n"
#define HEAD_NO_C "v=0\r\no=jdoe 1 2 IN IP4 192.0.2.66\r\ns=-\r\nt=0 0\r\n"
#define AUDIO "m=audio 40000 RTP/AVP 0\r\n"

static struct str_view text_of(const char *s)
{
	return (struct str_view){s, strlen(s)};
}

static void test_accepted(void **state)
{
	static const struct {
		const char *text;
		unsigned int n_media;
		const char *addr; /* of the first m= line; "" none */
		uint16_t port, rtcp_port;
		enum sdp_kind kind;
		enum sdp_direction direction;
	} cases[] = {
		{HEAD AUDIO, 1, "192.0.2.66", 40000, 0, SDP_KIND_RTP, SDP_SENDRECV},
		{"v=0\no=- 1 1 IN IP4 1.2.3.4\ns=-\nc=IN IP4 192.0.2.9\nt=0 0\nm=audio 4000 "
		 "RTP/AVP 8",
			1, "192.0.2.9", 4000, 0, SDP_KIND_RTP, SDP_SENDRECV},
		{HEAD AUDIO "c=IN IP4 192.0.2.67\r\na=inactive\r\n", 1, "192.0.2.67", 40000, 0,
			SDP_KIND_RTP, SDP_INACTIVE},
		{HEAD "a=sendonly\r\n" AUDIO, 1, "192.0.2.66", 40000, 0, SDP_KIND_RTP,
			SDP_SENDONLY},
		{HEAD "a=sendonly\r\n" AUDIO "a=recvonly\r\n", 1, "192.0.2.66", 40000, 0,
			SDP_KIND_RTP, SDP_RECVONLY},
		{HEAD AUDIO "a=rtcp:53020 IN IP4 192.0.2.68\r\n", 1, "192.0.2.66", 40000, 53020,
			SDP_KIND_RTP, SDP_SENDRECV},
		{HEAD AUDIO "a=rtcp:99999\r\n", 1, "192.0.2.66", 40000, 0, SDP_KIND_RTP,
			SDP_SENDRECV},
		{HEAD "m=audio 0 RTP/AVP 0\r\n", 1, "192.0.2.66", 0, 0, SDP_KIND_RTP, SDP_SENDRECV},
		{HEAD "m=image 4000 udptl t38\r\n", 1, "192.0.2.66", 4000, 0, SDP_KIND_UDPTL,
			SDP_SENDRECV},
		{HEAD "m=audio 4000 RTP/SAVP 0\r\n", 1, "192.0.2.66", 4000, 0, SDP_KIND_REFUSED,
			SDP_SENDRECV},
		{HEAD "m=audio 4000/2 RTP/AVP 0\r\n", 1, "192.0.2.66", 4000, 0, SDP_KIND_REFUSED,
			SDP_SENDRECV},
		{HEAD "m=audio 4000/1 RTP/AVP 0\r\n", 1, "192.0.2.66", 4000, 0, SDP_KIND_RTP,
			SDP_SENDRECV},
		{HEAD "m=audio 53 RTP/AVP 0\r\n", 1, "192.0.2.66", 53, 0, SDP_KIND_REFUSED,
			SDP_SENDRECV},
		{HEAD "m=audio 4000 RTP/AVP 128\r\n", 1, "192.0.2.66", 4000, 0, SDP_KIND_REFUSED,
			SDP_SENDRECV},
		{HEAD "m=application 4000 UDP/DTLS/SCTP webrtc-datachannel\r\n", 1, "192.0.2.66",
			4000, 0, SDP_KIND_REFUSED, SDP_SENDRECV},
		{HEAD_NO_C AUDIO, 1, "", 40000, 0, SDP_KIND_RTP, SDP_SENDRECV},
		{HEAD_NO_C "c=IN IP4 host.example\r\n" AUDIO, 1, "", 40000, 0, SDP_KIND_RTP,
			SDP_SENDRECV},
		{HEAD_NO_C "c=IN IP4 ::1\r\n" AUDIO, 1, "", 40000, 0, SDP_KIND_RTP, SDP_SENDRECV},
		{HEAD_NO_C "c=IN IP4 192.0.2.66/127/3\r\n" AUDIO, 1, "", 40000, 0, SDP_KIND_RTP,
			SDP_SENDRECV},
		{HEAD_NO_C "c=IN IP6 2001:db8::1\r\n" AUDIO, 1, "2001:db8::1", 40000, 0,
			SDP_KIND_RTP, SDP_SENDRECV},
		{HEAD_NO_C "c=IN IP6 ::ffff:192.0.2.5\r\n" AUDIO, 1, "192.0.2.5", 40000, 0,
			SDP_KIND_RTP, SDP_SENDRECV},
		{HEAD_NO_C "c=IN IP6 ::\r\n" AUDIO, 1, "::", 40000, 0, SDP_KIND_RTP, SDP_SENDRECV},
		{HEAD_NO_C "c=IN IP6 192.0.2.5\r\n" AUDIO, 1, "", 40000, 0, SDP_KIND_RTP,
			SDP_SENDRECV},
		{HEAD_NO_C "c=IN IP6 fe80::1%eth0\r\n" AUDIO, 1, "", 40000, 0, SDP_KIND_RTP,
			SDP_SENDRECV},
		{HEAD_NO_C "c=IN IP6 FF1E:03AD::7F2E:172A:1E24/3\r\n" AUDIO, 1, "", 40000, 0,
			SDP_KIND_RTP, SDP_SENDRECV},
		{HEAD_NO_C "c=IN IP6 2001:db8::1\r\n" AUDIO
			   "c=IN IP6 2001:db8::2\r\na=rtcp:53020 IN IP6 2001:db8::3\r\n",
			1, "2001:db8::2", 40000, 53020, SDP_KIND_RTP, SDP_SENDRECV},
		{HEAD, 0, "", 0, 0, SDP_KIND_REFUSED, SDP_SENDRECV},
		{HEAD AUDIO "\r\n\r\n", 1, "192.0.2.66", 40000, 0, SDP_KIND_RTP, SDP_SENDRECV},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char addr[NET_ADDR_STRLEN] = "";
		struct sdp sdp;

		print_message("case %zu\n", i);
		assert_int_equal(sdp_parse(text_of(cases[i].text), &sdp), 0);
		assert_int_equal(sdp.n_media, cases[i].n_media);
		if (sdp.n_media == 0)
			continue;
		if (sdp.media[0].addr.family != NET_FAMILY_NONE)
			net_addr_format(&sdp.media[0].addr, addr);
		assert_string_equal(addr, cases[i].addr);
		assert_int_equal(sdp.media[0].port, cases[i].port);
		assert_int_equal(sdp.media[0].rtcp_port, cases[i].rtcp_port);
		assert_int_equal(sdp.media[0].kind, cases[i].kind);
		assert_int_equal(sdp.media[0].direction, cases[i].direction);
	}
}

static void test_refused(void **state)
{
	static const struct {
		const char *text;
		int error;
	} cases[] = {
		{"", -EBADMSG},
		{"v=1\r\no=- 1 1 IN IP4 1.2.3.4\r\n", -EBADMSG},
		{"o=- 1 1 IN IP4 1.2.3.4\r\nv=0\r\n", -EBADMSG},
		{"v=0\r\ns=-\r\nt=0 0\r\n", -EBADMSG},
		{HEAD HEAD, -EBADMSG},
		{HEAD "m\r\n", -EBADMSG},
		{HEAD "=x\r\n", -EBADMSG},
		{HEAD "\r\n" AUDIO, -EBADMSG},
		{HEAD "m=audio\r\n", -EBADMSG},
		{HEAD "m=audio 4000\r\n", -EBADMSG},
		{HEAD "m=audio 4000 RTP/AVP\r\n", -EBADMSG},
		{HEAD "m=audio 4000 RTP/AVP \r\n", -EBADMSG},
		{HEAD "m=audio  4000 RTP/AVP 0\r\n", -EBADMSG},
		{HEAD "m=audio\t4000 RTP/AVP 0\r\n", -EBADMSG},
		{HEAD "m=audio -1 RTP/AVP 0\r\n", -EBADMSG},
		{HEAD "m=audio 65536 RTP/AVP 0\r\n", -EBADMSG},
		{HEAD "m=audio 4000/x RTP/AVP 0\r\n", -EBADMSG},
		{HEAD "a=x\x01y\r\n", -EBADMSG},
		{HEAD "a=x\ry\r\n", -EBADMSG},
	};
	static char many[64 * 1024];
	struct sdp sdp;
	size_t n;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		print_message("case %zu\n", i);
		assert_int_equal(sdp_parse(text_of(cases[i].text), &sdp), cases[i].error);
	}
	/* One m= line too many. */
	n = (size_t)snprintf(many, sizeof(many), "%s", HEAD);
	for (unsigned int i = 0; i < SDP_MEDIA_MAX; i++)
		n += (size_t)snprintf(many + n, sizeof(many) - n, "%s", AUDIO);
	assert_int_equal(sdp_parse(text_of(many), &sdp), 0);
	snprintf(many + n, sizeof(many) - n, "%s", AUDIO);
	assert_int_equal(sdp_parse(text_of(many), &sdp), -E2BIG);
	/* One format too many. */
	n = (size_t)snprintf(many, sizeof(many), "%sm=audio 4000 RTP/AVP", HEAD);
	for (unsigned int i = 0; i < SDP_FORMATS_MAX; i++)
		n += (size_t)snprintf(many + n, sizeof(many) - n, " %u", i);
	assert_int_equal(sdp_parse(text_of(many), &sdp), 0);
	snprintf(many + n, sizeof(many) - n, " 100");
	assert_int_equal(sdp_parse(text_of(many), &sdp), -E2BIG);
	/* One byte too long. */
	n = (size_t)snprintf(many, sizeof(many), "%s", HEAD);
	while (n < SDP_LEN_MAX + 1)
		n += (size_t)snprintf(many + n, sizeof(many) - n, "a=x\n");
	assert_int_equal(sdp_parse((struct str_view){many, SDP_LEN_MAX}, &sdp), 0);
	assert_int_equal(sdp_parse((struct str_view){many, SDP_LEN_MAX + 1}, &sdp), -E2BIG);
}

#define OUR_HEAD "v=0\r\no=- 77 5 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\n"

static void test_written(void **state)
{
	static const struct {
		const char *in;
		uint16_t port[2];
		const char *out;
	} cases[] = {
		{HEAD AUDIO, {30000},
			OUR_HEAD "t=0 0\r\nm=audio 30000 RTP/AVP 0\r\na=sendrecv\r\n"},
		{HEAD "b=AS:64\r\nb=X 1:2\r\nb=AS:4294967296\r\nk=prompt\r\na=ice-lite\r\n" AUDIO
		      "i=label\r\nb=TIAS:9000\r\na=rtpmap:0 PCMU/8000\r\na=fmtp:0 x=1\r\n"
		      "a=rtcp:9 IN IP4 192.0.2.66\r\na=rtcp-mux\r\na=ptime:20\r\n"
		      "a=candidate:1 1 UDP 1 192.0.2.66 40000 typ host\r\n"
		      "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x\r\na=setup:active\r\n"
		      "a=recvonly\r\na=silenceSupp:off - - - -\r\n",
			{30000},
			OUR_HEAD "b=AS:64\r\nt=0 0\r\nm=audio 30000 RTP/AVP 0\r\nb=TIAS:9000\r\n"
				 "a=rtpmap:0 PCMU/8000\r\na=fmtp:0 x=1\r\na=ptime:20\r\n"
				 "a=silenceSupp:off - - - -\r\na=recvonly\r\n"},
		{HEAD AUDIO "m=video 5000 RTP/SAVP 99\r\na=rtpmap:99 H264/90000\r\n", {30000, 0},
			OUR_HEAD "t=0 0\r\nm=audio 30000 RTP/AVP 0\r\na=sendrecv\r\n"
				 "m=video 0 RTP/SAVP 99\r\n"},
		{HEAD_NO_C "c=IN IP4 0.0.0.0\r\n" AUDIO, {30000},
			OUR_HEAD "t=0 0\r\nm=audio 30000 RTP/AVP 0\r\na=sendonly\r\n"},
		{HEAD_NO_C "c=IN IP4 0.0.0.0\r\n" AUDIO "a=recvonly\r\n", {30000},
			OUR_HEAD "t=0 0\r\nm=audio 30000 RTP/AVP 0\r\na=inactive\r\n"},
		{HEAD AUDIO "a=rtpmap:0 P\xc3\xa4/8000\r\n", {30000},
			OUR_HEAD "t=0 0\r\nm=audio 30000 RTP/AVP 0\r\na=sendrecv\r\n"},
		{HEAD, {0}, OUR_HEAD "t=0 0\r\n"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct sdp_rewrite rw = {.session_id = 77, .version = 5};
		char out[2048];
		struct sdp sdp;
		int len;

		print_message("case %zu\n", i);
		assert_int_equal(net_addr_parse(SV("10.0.0.1"), &rw.origin), 0);
		assert_int_equal(sdp_parse(text_of(cases[i].in), &sdp), 0);
		for (unsigned int m = 0; m < sdp.n_media; m++)
			rw.addr[m] = rw.origin;
		rw.n_media = sdp.n_media;
		memcpy(rw.port, cases[i].port, sizeof(cases[i].port));
		len = sdp_build(&sdp, &rw, out, sizeof(out));
		assert_int_equal(len, strlen(cases[i].out));
		assert_string_equal(out, cases[i].out);
		/* Every shorter buffer is refused, none overrun. */
		for (int cap = 0; cap <= len; cap++)
			assert_int_equal(sdp_build(&sdp, &rw, out, (size_t)cap), -EMSGSIZE);
	}
}

/* Ours in IPv6, and streams of one session at several addresses. */
static void test_written_addresses(void **state)
{
	static const struct {
		const char *origin, *addr[2];
		uint16_t port[2];
		const char *out;
	} cases[] = {
		{"2001:db8::1", {"2001:db8::1", "2001:db8::1"}, {30000, 30002},
			"v=0\r\no=- 77 5 IN IP6 2001:db8::1\r\ns=-\r\nc=IN IP6 2001:db8::1\r\n"
			"t=0 0\r\nm=audio 30000 RTP/AVP 0\r\na=sendrecv\r\n"
			"m=audio 30002 RTP/AVP 0\r\na=sendrecv\r\n"},
		{"2001:db8::1", {"2001:db8::1", "2001:db8::2"}, {30000, 30002},
			"v=0\r\no=- 77 5 IN IP6 2001:db8::1\r\ns=-\r\nc=IN IP6 2001:db8::1\r\n"
			"t=0 0\r\nm=audio 30000 RTP/AVP 0\r\na=sendrecv\r\n"
			"m=audio 30002 RTP/AVP 0\r\nc=IN IP6 2001:db8::2\r\na=sendrecv\r\n"},
		{"10.0.0.1", {"10.0.0.1", "2001:db8::2"}, {0, 30002},
			"v=0\r\no=- 77 5 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP6 2001:db8::2\r\n"
			"t=0 0\r\nm=audio 0 RTP/AVP 0\r\n"
			"m=audio 30002 RTP/AVP 0\r\na=sendrecv\r\n"},
		{"2001:db8::1", {"10.0.0.1", "10.0.0.1"}, {0, 0},
			"v=0\r\no=- 77 5 IN IP6 2001:db8::1\r\ns=-\r\nc=IN IP6 2001:db8::1\r\n"
			"t=0 0\r\nm=audio 0 RTP/AVP 0\r\nm=audio 0 RTP/AVP 0\r\n"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct sdp_rewrite rw = {.session_id = 77, .version = 5, .n_media = 2};
		char out[2048];
		struct sdp sdp;

		assert_int_equal(sdp_parse(text_of(HEAD AUDIO AUDIO), &sdp), 0);
		assert_int_equal(net_addr_parse(text_of(cases[i].origin), &rw.origin), 0);
		for (unsigned int m = 0; m < 2; m++) {
			assert_int_equal(net_addr_parse(text_of(cases[i].addr[m]), &rw.addr[m]), 0);
			rw.port[m] = cases[i].port[m];
		}
		assert_true(sdp_build(&sdp, &rw, out, sizeof(out)) > 0);
		assert_string_equal(out, cases[i].out);
	}
}

/* --- the corpus --- */

static const char *shared_dir(void)
{
	const char *dir = getenv("SALLYPORT_SHARED");

	return dir != NULL ? dir : "../shared";
}

static size_t read_file(const char *path, char *buf, size_t cap)
{
	FILE *f = fopen(path, "rb");
	size_t n;

	assert_non_null(f);
	n = fread(buf, 1, cap, f);
	fclose(f);
	return n;
}

/* What is parsed can be written, and what was written parses again to the same streams. */
static void round_trip(const struct sdp *sdp)
{
	static char out[2 * SDP_LEN_MAX];
	struct sdp_rewrite rw = {.session_id = 1, .version = 1, .n_media = sdp->n_media};
	struct sdp again;
	int len;

	assert_int_equal(net_addr_parse(SV("10.0.0.1"), &rw.origin), 0);
	for (unsigned int i = 0; i < sdp->n_media; i++)
		rw.addr[i] = rw.origin;
	for (unsigned int i = 0; i < sdp->n_media; i++)
		rw.port[i] = sdp->media[i].kind == SDP_KIND_REFUSED || sdp->media[i].port == 0
				     ? 0
				     : (uint16_t)(30000 + 2 * i);
	len = sdp_build(sdp, &rw, out, sizeof(out));
	assert_true(len > 0);
	assert_int_equal(sdp_parse((struct str_view){out, (size_t)len}, &again), 0);
	assert_int_equal(again.n_media, sdp->n_media);
	for (unsigned int i = 0; i < sdp->n_media; i++) {
		assert_int_equal(again.media[i].port, rw.port[i]);
		assert_true(sv_eq(again.media[i].formats, sdp->media[i].formats));
	}
}

/* nftw() has no context. */
static struct {
	const char *suffix;
	void (*fn)(char *text, size_t len);
	unsigned int n;
} walk;

static int visit(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	static char buf[256 * 1024];
	size_t len = strlen(path), suffix = strlen(walk.suffix);

	if (type != FTW_F || len < suffix || strcmp(path + len - suffix, walk.suffix) != 0)
		return 0;
	print_message("%s\n", path);
	walk.fn(buf, read_file(path, buf, sizeof(buf)));
	walk.n++;
	return 0;
}

static unsigned int for_each(
	const char *sub, const char *suffix, void (*fn)(char *text, size_t len))
{
	char dir[512];

	snprintf(dir, sizeof(dir), "%s/corpus/%s", shared_dir(), sub);
	walk.suffix = suffix;
	walk.fn = fn;
	walk.n = 0;
	assert_int_equal(nftw(dir, visit, 8, FTW_PHYS), 0);
	return walk.n;
}

static void own_sdp(char *text, size_t len)
{
	struct sdp sdp;

	assert_int_equal(sdp_parse((struct str_view){text, len}, &sdp), 0);
	round_trip(&sdp);
}

/* An exact copy on the heap, so that a sanitizer sees one byte read too far. */
static void any_sdp(char *text, size_t len)
{
	char *body = memmem(text, len, "\r\n\r\n", 4);
	size_t n = body != NULL ? len - (size_t)(body + 4 - text) : len;
	char *copy = malloc(n + 1);
	struct sdp sdp;

	assert_non_null(copy);
	memcpy(copy, text + (len - n), n);
	if (sdp_parse((struct str_view){copy, n}, &sdp) == 0)
		round_trip(&sdp);
	free(copy);
}

static void test_corpus(void **state)
{
	assert_true(for_each("messages/own/sdp", ".sdp", own_sdp) > 30);
	assert_true(for_each("messages/fetched/sdp", "", any_sdp) > 50);
	assert_true(for_each("attacks/sdp", ".sip", any_sdp) > 50);
}

int main(void)
{
	char corpus[512];
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepted),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_written),
		cmocka_unit_test(test_written_addresses),
		cmocka_unit_test(test_corpus),
	};
	DIR *dir;

	snprintf(corpus, sizeof(corpus), "%s/corpus/messages", shared_dir());
	dir = opendir(corpus);
	if (dir == NULL) {
		printf("skipped: no corpus at %s (set SALLYPORT_SHARED)\n", corpus);
		return 77;
	}
	closedir(dir);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
