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
#include "judge.h"
#include "sip_expected.h"

#define PATH_MAX_ 512

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
			sip_scan_error_name(judge_idx.error), want);
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
		status = judge_file(path, NULL);
		if (view_is(t.column[3], "accept"))
			assert_status(t.column[0], status, e != NULL ? e->status : 0);
	}
	corpus_table_close(&t);
	assert_true(n > 100);
	assert_int_equal(used, ARRAY_LEN(own_expected));
}

/* A legal message with one byte of its head replaced by NUL or CR is never taken, but for the
 * second character of a quoted-pair, which may be NUL. */
static void refuse_byte(const struct str_view file, char *msg, size_t len, size_t head, char bad)
{
	for (size_t i = 0; i < head; i++) {
		char was = msg[i];

		if (was == bad)
			continue;
		msg[i] = bad;
		if (judge(msg, len, NULL) == 0 && (bad != '\0' || msg[i - 1] != '\\'))
			fail_msg("%.*s: %d at %zu accepted", SV_ARG(file), bad, i);
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
		judge(twice, len + end - at, NULL);
		if (judge_idx.error != SIP_SCAN_SINGLETON)
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
		if (judge(msg, len, NULL) == 0) {
			size_t head =
				judge_idx.body.len > 0 ? judge_idx.body.off : judge_idx.msg_len;

			refuse_byte(t.column[0], msg, len, head, '\0');
			refuse_byte(t.column[0], msg, len, head, '\r');
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
		status = judge_file(path, NULL);
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
		status = judge_file(path, NULL);
		/* STUN, RTP, WebSocket and the like are not SIP. */
		if (view_is(t.column[1], "binary"))
			assert_true(judge_idx.error == SIP_SCAN_START_LINE ||
				    judge_idx.error == SIP_SCAN_TOO_LONG);
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
	assert_int_equal(judge_file("attacks/start-line/sl-method-lower.sip", NULL), 0);
	assert_int_equal(judge_idx.method, SIP_METHOD_OTHER);
}

/* A blank before the colon is legal (HCOLON) and hides a header from nobody. */
static void test_blank_before_colon(void **state)
{
	size_t len;
	char *msg = corpus_read("attacks/name-addr/na-header-smuggle-space.sip", &len);

	(void)state;
	assert_int_equal(judge(msg, len, NULL), 0);
	assert_true(view_is(sip_header_find_name(msg, &judge_idx, SV("x-internal-auth"), 0), "ok"));
	assert_true(view_is(
		sip_header_find_name(msg, &judge_idx, SV("P-Charging-Vector"), 0), "icid-value=1"));
	free(msg);
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
			unsigned int status = judge(stream + at, (size_t)n, NULL);

			messages += status == 0;
			empty += judge_idx.error == SIP_SCAN_EMPTY;
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
	struct guard guard = guard_new(CORPUS_FILE_MAX);

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
	guard_free(&guard);
	/* Gone through by hand: odd but unambiguous ones, as "sip:%00@192.0.2.1"; the rest is not.
	 */
	assert_int_equal(good, 22);
	assert_int_equal(bad, 61);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_own),
		cmocka_unit_test(test_derived),
		cmocka_unit_test(test_fetched),
		cmocka_unit_test(test_attacks),
		cmocka_unit_test(test_blank_before_colon),
		cmocka_unit_test(test_streams),
		cmocka_unit_test(test_uri_list),
	};
	int failed;

	corpus_need();
	judge_init();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	judge_fini();
	return failed;
}
