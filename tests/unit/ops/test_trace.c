/* Traces without calls: what is kept of many messages, how calls are found, what stays when
 * they are over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "trace.h"

static const uint64_t key[2] = {7, 9};

static struct trace *begin(struct trace_store *s, const char *name, const char *call_id)
{
	struct trace *t = trace_begin(s, name, 1000);

	assert_non_null(t);
	trace_index(t, TRACE_CALLER, 0, (struct str_view){call_id, strlen(call_id)}, SV("tag"));
	return t;
}

static void note(struct trace *t, unsigned int number, uint64_t now_ms)
{
	char text[64];
	int n = snprintf(text, sizeof(text), "OPTIONS %u ...", number);
	struct trace_message m = {
		.method = SIP_OPTIONS,
		.cseq = number,
		.label = SV("OPTIONS"),
		.text = {text, (size_t)n},
	};

	trace_note(t, &m, now_ms);
}

static json_int_t number_of(const json_t *o, const char *name)
{
	return json_integer_value(json_object_get(o, name));
}

/* The first half stays, of the rest the last ones. */
static void test_many(void **state)
{
	static const struct {
		unsigned int max, messages, first, left_out;
	} cases[] = {
		{32, 1, 1, 0},
		{32, 31, 31, 0},
		{32, 32, 32, 0},
		{32, 33, 16, 1},
		{32, 47, 16, 15},
		{32, 49, 16, 17},
		{32, 1000, 16, 968},
		{1, 3, 0, 2},
		{7, 20, 3, 13},
		{256, 257, 128, 1},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		unsigned int kept = cases[i].messages - cases[i].left_out;
		struct trace_store *s = trace_store_new(cases[i].max, 10, key);
		struct trace *t = begin(s, "0-1-a", "id");
		struct trace_info info = {.state = "ended"};
		json_t *o, *list;

		for (unsigned int n = 0; n < cases[i].messages; n++)
			note(t, n, 1000 + n);
		o = trace_json(t, &info);
		list = json_object_get(o, "messages");
		assert_int_equal(json_array_size(list), kept);
		assert_int_equal(number_of(o, "kept_first"), cases[i].first);
		assert_int_equal(number_of(o, "left_out"), cases[i].left_out);
		for (unsigned int n = 0; n < kept; n++) {
			unsigned int want = n < cases[i].first ? n : n + cases[i].left_out;

			assert_int_equal(number_of(json_array_get(list, n), "cseq"), want);
			assert_int_equal(number_of(json_array_get(list, n), "ms"), want);
		}
		json_decref(o);
		trace_end(t, &info, false);
		trace_store_free(s);
	}
}

static void test_again(void **state)
{
	struct trace_store *s = trace_store_new(32, 10, key);
	struct trace *t = begin(s, "0-1-a", "id");
	struct trace_info info = {.state = "ended"};
	struct trace_message other = {
		.method = SIP_OPTIONS, .cseq = 1, .sent = true, .text = SV("OPTIONS 1 ...")};
	json_t *o, *list;

	note(t, 1, 1000);
	note(t, 2, 1500);
	note(t, 1, 1500);
	trace_note(t, &other, 1500); /* the same bytes the other way are no retransmission */
	other.side = TRACE_CALLEE;
	trace_note(t, &other, 1500);
	o = trace_json(t, &info);
	list = json_object_get(o, "messages");
	for (unsigned int i = 0; i < 5; i++)
		assert_int_equal(
			json_is_true(json_object_get(json_array_get(list, i), "again")), i == 2);
	json_decref(o);
	trace_end(t, &info, false);
	trace_store_free(s);
}

static void test_find(void **state)
{
	struct trace_store *s = trace_store_new(32, 10, key);
	struct trace *t = begin(s, "0-1-a", "one@x"), *u;
	enum trace_side side;

	trace_index(t, TRACE_CALLEE, 1, SV("two"), SV("ours"));
	assert_ptr_equal(trace_find(s, 0, SV("one@x"), SV("tag"), SV(""), &side), t);
	assert_int_equal(side, TRACE_CALLER);
	assert_ptr_equal(trace_find(s, 0, SV("one@x"), SV("theirs"), SV("tag"), &side), t);
	assert_ptr_equal(trace_find(s, 1, SV("two"), SV("far"), SV("ours"), &side), t);
	assert_int_equal(side, TRACE_CALLEE);
	/* Another realm, another tag, another Call-ID: another call. */
	assert_null(trace_find(s, 1, SV("one@x"), SV("tag"), SV(""), &side));
	assert_null(trace_find(s, 0, SV("one@x"), SV("tags"), SV(""), &side));
	assert_null(trace_find(s, 0, SV("one"), SV("tag"), SV(""), &side));
	/* The same INVITE with credentials: from now on it is the new call's. */
	u = begin(s, "0-2-b", "one@x");
	assert_ptr_equal(trace_find(s, 0, SV("one@x"), SV("tag"), SV(""), &side), u);
	trace_end(t, &(struct trace_info){0}, false);
	trace_end(u, &(struct trace_info){0}, false);
	trace_store_free(s);
}

static bool is_kept(const struct trace_store *s, const char *id, const char *name)
{
	json_t *o = trace_over_json(s, id);
	bool same = o != NULL && strcmp(json_string_value(json_object_get(o, "id")), name) == 0;

	json_decref(o);
	return same;
}

/* Calls that are over give way to younger ones, and to nothing else. */
static void test_over(void **state)
{
	struct trace_store *s = trace_store_new(32, 4, key);
	char name[16], id[16];

	for (unsigned int i = 0; i < 10; i++) {
		struct trace_info info = {.from = strdup("sip:a@b"), .to = strdup("sip:c")};

		snprintf(name, sizeof(name), "0-%u-a", i);
		snprintf(id, sizeof(id), "id%u", i);
		trace_end(begin(s, name, id), &info, false);
	}
	for (unsigned int i = 0; i < 10; i++) {
		snprintf(name, sizeof(name), "0-%u-a", i);
		snprintf(id, sizeof(id), "id%u", i);
		assert_int_equal(is_kept(s, name, name), i >= 6);
		assert_int_equal(is_kept(s, id, name), i >= 6);
	}
	/* Refused ones push none of them out. */
	for (unsigned int i = 0; i < 10; i++)
		trace_end(begin(s, "0-99-z", "refused"), &(struct trace_info){0}, true);
	assert_true(is_kept(s, "0-6-a", "0-6-a"));
	assert_true(is_kept(s, "refused", "0-99-z"));
	trace_store_free(s);
}

static void test_off(void **state)
{
	struct trace_store *s = trace_store_new(0, 4, key);
	struct trace *t = trace_begin(s, "0-1-a", 0);
	struct trace_info info = {.from = strdup("sip:a@b")};
	enum trace_side side;

	assert_null(t);
	trace_index(t, TRACE_CALLER, 0, SV("id"), SV("tag"));
	note(t, 1, 1);
	assert_false(trace_is(t, "0-1-a"));
	assert_null(trace_find(s, 0, SV("id"), SV("tag"), SV(""), &side));
	trace_end(t, &info, false);
	assert_null(trace_over_json(s, "0-1-a"));
	trace_store_free(s);
}

/* What peers write is cut and cleaned before anybody sees it. */
static void test_labels(void **state)
{
	struct trace_store *s = trace_store_new(32, 10, key);
	struct trace *t = begin(s, "0-1-a", "id");
	struct trace_info info = {.from = strdup("sip:\x1b[2J@\xe9"), .state = "ended"};
	struct trace_message m = {.method = SIP_INVITE, .status = 500, .text = SV("1")};
	json_t *o, *list;

	m.label = SV("\x1b]0;evil\x07");
	trace_note(t, &m, 1000);
	m.label = SV("a reason that is longer than its room");
	trace_note(t, &m, 1000);
	m.status = 0;
	m.method = SIP_METHOD_OTHER;
	m.label = SV("FROBNICATE");
	trace_note(t, &m, 1000);
	o = trace_json(t, &info);
	list = json_object_get(o, "messages");
	assert_string_equal(json_string_value(json_object_get(o, "from")), "sip:?[2J@?");
	assert_string_equal(
		json_string_value(json_object_get(json_array_get(list, 0), "reason")), "?]0;evil?");
	assert_string_equal(json_string_value(json_object_get(json_array_get(list, 1), "reason")),
		"a reason that is lo...");
	assert_string_equal(json_string_value(json_object_get(json_array_get(list, 2), "method")),
		"FROBNICATE");
	json_decref(o);
	trace_end(t, &info, false);
	trace_store_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_again),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_over),
		cmocka_unit_test(test_off),
		cmocka_unit_test(test_labels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
