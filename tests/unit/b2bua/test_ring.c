/*
 * Two boxes, each of which has the other behind it (threats.md row 12): nothing of a call says that
 * it was here before, since each box writes all of it anew. Its hops come to an end, and the calls.
 */
#include "lab.h"

#define BOXES 2
#define HOPS 70 /* RFC 3261 section 8.1.1.6, and what the caller says */

static struct lab box[BOXES];
static unsigned int seen[BOXES]; /* messages that were carried on */

static int setup(void **state)
{
	for (unsigned int i = 0; i < BOXES; i++) {
		lab_init(&box[i]);
		box[i].leaks_allowed = true; /* what is inside of one is outside of the other */
		seen[i] = 0;
	}
	return 0;
}

static int teardown(void **state)
{
	for (unsigned int i = 0; i < BOXES; i++)
		lab_fini(&box[i]);
	return 0;
}

/* What one box sends is what the other one gets, but for the caller's own dialog.
 * @return false: there was nothing. */
static bool carry(const struct ua *caller)
{
	bool moved = false;

	for (unsigned int i = 0; i < BOXES; i++) {
		struct lab *other = &box[(i + 1) % BOXES];

		while (seen[i] < box[i].n_msgs) {
			const struct lab_msg *m = &box[i].msg[seen[i]++];

			if (strcmp(lab_header(m->text, "Call-ID"), caller->call_id) == 0)
				continue;
			lab_feed(other, m->side == INSIDE ? OUTSIDE : INSIDE,
				m->side == INSIDE ? "192.0.2.66:5060" : "10.0.0.10:5060", m->text,
				m->len);
			moved = true;
		}
	}
	return moved;
}

static void both_run(const struct ua *caller, unsigned int ms)
{
	for (unsigned int at = 0; at < ms; at += 100) {
		while (carry(caller))
			;
		for (unsigned int i = 0; i < BOXES; i++)
			lab_run(&box[i], 100);
	}
}

static uint64_t calls(bool active)
{
	uint64_t n = 0;

	for (unsigned int i = 0; i < BOXES; i++) {
		const struct b2bua_stats *s = b2bua_get_stats(box[i].b2bua);

		n += active ? s->calls_active : s->calls_total;
	}
	return n;
}

static void test_ring(void **state)
{
	struct ua caller = ua_caller(&box[0], "bob");

	/* Without an offer: what one box offers is the other's own address. */
	ua_request(&caller, "INVITE", 1, NULL, NULL);
	both_run(&caller, 1000);
	lab_expect(&box[0], OUTSIDE, "SIP/2.0 483 ");
	ua_request(&caller, "ACK", 1, NULL, NULL);
	/* One call each time round, not one more. */
	assert_int_equal(calls(false), HOPS);
	assert_int_equal(calls(true), 0);
	assert_int_equal(
		lab_count(&box[0], INSIDE, "INVITE ") + lab_count(&box[1], INSIDE, "INVITE "),
		HOPS);
	both_run(&caller, 40000);
}

/* RFC 5393 section 5.3.3: the breadth goes along; where none is left it ends. */
static void test_breadth(void **state)
{
	static const char *const methods[] = {"INVITE", "MESSAGE"};
	struct ua callee;

	box[0].realms[OUTSIDE].methods.known |= 1u << SIP_MESSAGE;
	for (unsigned int i = 0; i < ARRAY_LEN(box[0].peers); i++)
		box[0].peers[i].methods = box[0].realms[OUTSIDE].methods;
	for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
		struct ua caller = ua_caller(&box[0], "bob");
		const char *request;

		ua_request(&caller, methods[i], 1, NULL, "Max-Breadth: 0\r\n");
		lab_expect(&box[0], OUTSIDE, "SIP/2.0 440 Max-Breadth Exceeded\r\n");
		lab_expect_none(&box[0], INSIDE);
		caller = ua_caller(&box[0], "bob");
		ua_request(&caller, methods[i], 1, NULL, "Max-Breadth: 7\r\n");
		request = lab_expect(&box[0], INSIDE, methods[i]);
		assert_string_equal(lab_header(request, "Max-Breadth"), "7");
		if (i == 0)
			callee = ua_callee(&box[0], request);
		ua_respond(&callee, request, 486, NULL, NULL);
		lab_expect(&box[0], OUTSIDE, "SIP/2.0 486 ");
		lab_run(&box[0], 40000);
		lab_forget(&box[0]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_ring, setup, teardown),
		cmocka_unit_test_setup_teardown(test_breadth, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
