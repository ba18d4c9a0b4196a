/*
 * The SIP parser against the corpus: legal messages pass, malformed ones are
 * refused with the status that they earn, and nothing reads beyond a message.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "corpus.h"
#include "guard_page.h"
#include "sip_expected.h"

#define PATH_MAX_ 512

static struct guard guard;
static struct sip_index idx;

static const struct str_view supported =
	SV("100rel,eventlist,multiple-refer,norefersub,precondition,"
	   "replaces,sec-agree,siprec,tdialog,timer");

/* A response that is refused is dropped: its status counts as 400. */
static unsigned int judge(const char *msg, size_t len)
{
	const char *p = guard_put(&guard, msg, len);
	enum sip_scan_error error = sip_scan(p, len, &idx);
	struct sip_verdict verdict;

	assert_int_equal(sip_index_check(&idx, SIP_INDEX_LEN(idx.n_headers), len), 0);
	verdict = sip_validate(p, &idx, supported);
	assert_true(error == SIP_SCAN_NONE || verdict.status >= 400);
	return verdict.status;
}

/* Judge a file, whole and cut off at every byte (every 61st of a large one). */
static unsigned int judge_file(const char *path)
{
	size_t len, step;
	char *msg = corpus_read(path, &len);
	unsigned int status;

	step = len > 4096 ? 61 : 1;
	for (size_t n = 0; n < len; n += step) {
		const char *p;

		judge(msg, n);
		p = guard_put(&guard, msg, n);
		assert_true(sip_frame(p, n) <= (int)n);
	}
	status = judge(msg, len);
	free(msg);
	return status;
}

static bool view_is(struct str_view v, const char *text)
{
	return sv_eq(v, (struct str_view){text, strlen(text)});
}

static bool starts(struct str_view v, const char *text)
{
	size_t n = strlen(text);

	return v.len >= n && memcmp(v.p, text, n) == 0;
}

static const struct expected *find_expected(
	const struct expected *rows, size_t n, struct str_view file, size_t *used)
{
	for (size_t i = 0; i < n; i++) {
		if (view_is(file, rows[i].file)) {
			++*used;
			return &rows[i];
		}
	}
	return NULL;
}

static void assert_status(struct str_view file, unsigned int got, unsigned int want)
{
	if (got != want)
		fail_msg("%.*s: %u (%s) instead of %u", SV_ARG(file), got,
			sip_scan_error_name(idx.error), want);
}

static void test_rfc4475(void **state)
{
	struct corpus_table t;
	size_t n = 0, used = 0;
	char path[PATH_MAX_];

	(void)state;
	corpus_table_open(&t, "rfc4475/MANIFEST.tsv");
	for (; corpus_table_next(&t); n++) {
		const struct expected *e = find_expected(
			rfc4475_expected, ARRAY_LEN(rfc4475_expected), t.column[0], &used);
		unsigned int status;

		snprintf(path, sizeof(path), "rfc4475/%.*s.dat", SV_ARG(t.column[0]));
		status = judge_file(path);
		if (e == NULL && !view_is(t.column[2], "valid") && !view_is(t.column[2], "invalid"))
			fail_msg("%.*s: nothing expected", SV_ARG(t.column[0]));
		assert_status(t.column[0], status,
			e != NULL ? e->status : (view_is(t.column[2], "valid") ? 0 : 400));
		/* The INVITE behind the REGISTER is not part of it. */
		if (view_is(t.column[0], "dblreq"))
			assert_int_equal(idx.msg_len, 300);
	}
	corpus_table_close(&t);
	assert_int_equal(n, 49);
	assert_int_equal(used, ARRAY_LEN(rfc4475_expected));
	judge_file("rfc4475/archive-extra-test.dat");
}

static void test_rfc5118(void **state)
{
	struct corpus_table t;
	char path[PATH_MAX_];
	size_t n = 0;

	(void)state;
	corpus_table_open(&t, "rfc5118/MANIFEST.tsv");
	for (; corpus_table_next(&t); n++) {
		snprintf(path, sizeof(path), "rfc5118/%.*s.dat", SV_ARG(t.column[0]));
		assert_status(
			t.column[0], judge_file(path), starts(t.column[2], "valid") ? 0 : 400);
	}
	corpus_table_close(&t);
	assert_int_equal(n, 12);
}

/* What is read from the four that RFC 5118 sections 4.3 and 4.5 are about. */
static void test_rfc5118_reading(void **state)
{
	struct sip_uri uri;
	struct sip_via via;
	size_t len;
	char *msg;

	(void)state;
	msg = corpus_read("rfc5118/port-ambiguous.dat", &len);
	sip_scan(msg, len, &idx);
	assert_int_equal(sip_uri_parse(sip_span_view(msg, idx.uri), &uri), 0);
	assert_true(view_is(uri.host, "2001:db8::10:5070"));
	assert_int_equal(uri.port, 0);
	free(msg);
	msg = corpus_read("rfc5118/port-unambiguous.dat", &len);
	sip_scan(msg, len, &idx);
	assert_int_equal(sip_uri_parse(sip_span_view(msg, idx.uri), &uri), 0);
	assert_true(view_is(uri.host, "2001:db8::10"));
	assert_int_equal(uri.port, 5070);
	free(msg);
	msg = corpus_read("rfc5118/via-received-param-with-delim.dat", &len);
	sip_scan(msg, len, &idx);
	assert_int_equal(sip_via_parse(sip_header_find(msg, &idx, SIP_HDR_VIA, 0), &via), 0);
	assert_true(view_is(via.received, "[2001:db8::9:255]"));
	free(msg);
	msg = corpus_read("rfc5118/via-received-param-no-delim.dat", &len);
	sip_scan(msg, len, &idx);
	assert_int_equal(sip_via_parse(sip_header_find(msg, &idx, SIP_HDR_VIA, 0), &via), 0);
	assert_true(view_is(via.received, "2001:db8::9:255"));
	free(msg);
}

static void test_own(void **state)
{
	struct corpus_table t;
	char path[PATH_MAX_];
	size_t n = 0, used = 0;

	(void)state;
	corpus_table_open(&t, "messages/own/sip/INDEX.tsv");
	for (; corpus_table_next(&t); n++) {
		const struct expected *e =
			find_expected(own_expected, ARRAY_LEN(own_expected), t.column[0], &used);
		unsigned int status;

		snprintf(path, sizeof(path), "messages/own/sip/%.*s", SV_ARG(t.column[0]));
		status = judge_file(path);
		if (view_is(t.column[3], "accept"))
			assert_status(t.column[0], status, e != NULL ? e->status : 0);
	}
	corpus_table_close(&t);
	assert_true(n > 100);
	assert_int_equal(used, ARRAY_LEN(own_expected));
}

/* A legal message with one byte of its head replaced by NUL is never taken, but for the second
 * character of a quoted-pair, which may be NUL. */
static void refuse_nul(const struct str_view file, char *msg, size_t len, size_t head)
{
	for (size_t i = 0; i < head; i++) {
		char was = msg[i];

		msg[i] = '\0';
		if (judge(msg, len) == 0 && msg[i - 1] != '\\')
			fail_msg("%.*s: NUL at %zu accepted", SV_ARG(file), i);
		msg[i] = was;
	}
}

#define HEADER_SEVERAL(id, name, compact, several) [SIP_HDR_##id] = (several),
static const bool several[SIP_HDR_COUNT] = {
	[SIP_HDR_OTHER] = true, SIP_HEADER_LIST(HEADER_SEVERAL)};

/* A legal message with one header line doubled is never taken if that header may stand once. */
static size_t refuse_doubled(const struct str_view file, const char *msg, size_t len)
{
	static char twice[CORPUS_FILE_MAX];
	struct sip_index whole;
	size_t n = 0;

	assert_int_equal(sip_scan(msg, len, &whole), SIP_SCAN_NONE);
	for (unsigned int i = 0; i < whole.n_headers; i++) {
		const struct sip_header_ref *ref = &whole.headers[i];
		size_t at = ref->name_off;
		size_t end = i + 1 < whole.n_headers ? whole.headers[i + 1].name_off : at;

		if (several[ref->id] || end == at)
			continue;
		memcpy(twice, msg, end);
		memcpy(twice + end, msg + at, len - at);
		judge(twice, len + end - at);
		if (idx.error != SIP_SCAN_SINGLETON)
			fail_msg("%.*s: doubled %s accepted", SV_ARG(file),
				sip_header_name(ref->id));
		n++;
	}
	return n;
}

static void test_derived(void **state)
{
	struct corpus_table t;
	char path[PATH_MAX_];
	size_t doubled = 0;

	(void)state;
	corpus_table_open(&t, "messages/own/sip/INDEX.tsv");
	while (corpus_table_next(&t)) {
		size_t len;
		char *msg;

		snprintf(path, sizeof(path), "messages/own/sip/%.*s", SV_ARG(t.column[0]));
		msg = corpus_read(path, &len);
		if (judge(msg, len) == 0) {
			size_t head = idx.body.len > 0 ? idx.body.off : idx.msg_len;

			refuse_nul(t.column[0], msg, len, head);
			doubled += refuse_doubled(t.column[0], msg, len);
		}
		free(msg);
	}
	corpus_table_close(&t);
	assert_true(doubled > 500);
}

static void test_fetched(void **state)
{
	struct corpus_table t;
	char path[PATH_MAX_];
	size_t n = 0, used = 0;

	(void)state;
	corpus_table_open(&t, "messages/INDEX-fetched.tsv");
	while (corpus_table_next(&t)) {
		struct str_view file = t.column[0];
		const struct expected *e;
		unsigned int status;

		snprintf(path, sizeof(path), "messages/%.*s", SV_ARG(file));
		status = judge_file(path);
		if (!starts(file, "fetched/sip/") || !view_is(t.column[5], "ok"))
			continue;
		file.p += strlen("fetched/sip/");
		file.len -= strlen("fetched/sip/");
		e = find_expected(fetched_expected, ARRAY_LEN(fetched_expected), file, &used);
		assert_status(file, status, e != NULL ? e->status : 0);
		n++;
	}
	corpus_table_close(&t);
	assert_true(n > 300);
	assert_int_equal(used, ARRAY_LEN(fetched_expected));
}

/* The status that an attack's table row asks for; 0: accept; 1: any refusal; -1: not ours. */
static int attack_wants(struct str_view class, struct str_view expected)
{
	static const char *const ours[] = {"content-length", "line-endings", "start-line", "uri",
		"header-flood", "name-addr", "via", "numbers", "routing", "injection"};
	static const char *const exact[] = {"414", "416", "420", "483", "505"};
	static const char *const refusals[] = {"400", "drop", "limit:"};

	if (view_is(class, "binary"))
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(exact); i++) {
		if (starts(expected, exact[i]) && (expected.len == 3 || expected.p[3] != '/'))
			return (expected.p[0] - '0') * 100 + (expected.p[1] - '0') * 10 +
			       (expected.p[2] - '0');
	}
	for (size_t i = 0; i < ARRAY_LEN(ours); i++) {
		if (!view_is(class, ours[i]))
			continue;
		if (starts(expected, "accept"))
			return 0;
		for (size_t j = 0; j < ARRAY_LEN(refusals); j++) {
			if (starts(expected, refusals[j]))
				return 1;
		}
	}
	return -1;
}

static void test_attacks(void **state)
{
	size_t accepted = 0, refused = 0, used = 0;
	struct corpus_table t;
	char path[PATH_MAX_];

	(void)state;
	corpus_table_open(&t, "attacks/ATTACKS.tsv");
	while (corpus_table_next(&t)) {
		struct str_view file = t.column[0];
		const struct expected *e =
			find_expected(attacks_expected, ARRAY_LEN(attacks_expected), file, &used);
		int want = attack_wants(t.column[1], t.column[3]);
		unsigned int status;

		snprintf(path, sizeof(path), "attacks/%.*s", SV_ARG(file));
		status = judge_file(path);
		/* STUN, RTP, WebSocket and the like are not SIP. */
		if (view_is(t.column[1], "binary"))
			assert_true(
				idx.error == SIP_SCAN_START_LINE || idx.error == SIP_SCAN_TOO_LONG);
		/* Those are judged as streams below. */
		if (view_is(t.column[2], "tcp") && starts(file, "content-length/"))
			continue;
		if (e != NULL)
			want = (int)e->status;
		if (want == 1 && status == 0)
			fail_msg("%.*s: accepted", SV_ARG(file));
		else if (want == 0 || want > 1)
			assert_status(file, status, (unsigned int)want);
		accepted += want == 0;
		refused += want > 0;
	}
	corpus_table_close(&t);
	assert_int_equal(used, ARRAY_LEN(attacks_expected));
	assert_true(accepted > 20);
	assert_true(refused > 110);
	/* Methods are case-sensitive: not an INVITE. */
	assert_int_equal(judge_file("attacks/start-line/sl-method-lower.sip"), 0);
	assert_int_equal(idx.method, SIP_METHOD_OTHER);
}

/* A stream taken apart: whole messages, then the first result that is not one. */
static void test_streams(void **state)
{
	static const struct {
		const char *file;
		unsigned int messages; /* that scan without error */
		unsigned int empty;    /* keep-alives */
		int last;
	} cases[] = {
		{"cl-dup-differ-smuggle", 0, 0, -EBADMSG},
		{"cl-space-before-colon", 1, 0, 0},
		{"cl-missing-tcp", 0, 0, -EBADMSG},
		{"pipeline-50-one-segment", 50, 0, 0},
		{"crlf-keepalive-flood", 0, 1, 0},
		{"header-never-ends-tcp", 0, 0, 0},
		{"body-never-ends-tcp", 0, 0, 0},
		{"cl-negative", 0, 0, -EBADMSG},
		{"cl-hex", 0, 0, -EBADMSG},
		{"cl-uint32-plus", 0, 0, -EBADMSG},
		{"cl-dup-equal", 0, 0, -EBADMSG},
		{"cl-list", 0, 0, -EBADMSG},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		unsigned int messages = 0, empty = 0;
		char path[PATH_MAX_];
		size_t len, at = 0;
		char *stream;
		int n;

		snprintf(path, sizeof(path), "attacks/content-length/%s.sip", cases[i].file);
		stream = corpus_read(path, &len);
		while ((n = sip_frame(stream + at, len - at)) > 0) {
			unsigned int status = judge(stream + at, (size_t)n);

			messages += status == 0;
			empty += idx.error == SIP_SCAN_EMPTY;
			at += (size_t)n;
		}
		if (n != cases[i].last || messages != cases[i].messages || empty != cases[i].empty)
			fail_msg("%s: %u messages, %u empty, then %d", path, messages, empty, n);
		free(stream);
	}
}

/* Each URI of the attack list in a request: refused, or what was read covers all of it. */
static void test_uri_list(void **state)
{
	size_t len, good = 0, bad = 0;
	char *text = corpus_read("attacks/uri/uri-list.txt", &len);
	struct str_view rest = {text, len};

	(void)state;
	while (rest.len > 0) {
		const char *end = memchr(rest.p, '\n', rest.len);
		size_t n = end != NULL ? (size_t)(end - rest.p) : rest.len;
		struct str_view line = {guard_put(&guard, rest.p, n), n};
		struct sip_uri u;

		if (sip_uri_parse(line, &u) != 0) {
			bad++;
		} else {
			const char *last = line.p + line.len;

			assert_true(u.scheme == SIP_SCHEME_OTHER || u.headers.len == 0 ||
				    u.headers.p + u.headers.len == last);
			good++;
		}
		n += end != NULL;
		rest.p += n;
		rest.len -= n;
	}
	free(text);
	/* Gone through by hand: odd but unambiguous ones, as "sip:%00@192.0.2.1"; the rest is not.
	 */
	assert_int_equal(good, 22);
	assert_int_equal(bad, 61);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc4475),
		cmocka_unit_test(test_rfc5118),
		cmocka_unit_test(test_rfc5118_reading),
		cmocka_unit_test(test_own),
		cmocka_unit_test(test_derived),
		cmocka_unit_test(test_fetched),
		cmocka_unit_test(test_attacks),
		cmocka_unit_test(test_streams),
		cmocka_unit_test(test_uri_list),
	};
	int failed;

	corpus_need();
	guard = guard_new(CORPUS_FILE_MAX);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	guard_free(&guard);
	return failed;
}
