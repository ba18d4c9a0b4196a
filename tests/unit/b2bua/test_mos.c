/* The E-model against published values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mos.h"

static void near_to(const char *what, double got, double want, double within)
{
	if (got < want - within || got > want + within)
		fail_msg("%s: %.3f instead of %.3f", what, got, want);
}

/* ITU-T G.107 annex B and G.109: ratings and the scores that are printed for them. */
static void test_scores(void **state)
{
	static const struct {
		double r, mos;
	} table[] = {{-5, 1.0}, {0, 1.0}, {3, 1.0}, {50, 2.58}, {60, 3.10}, {70, 3.60}, {80, 4.03},
		{90, 4.34}, {93.2, 4.41}, {100, 4.5}, {120, 4.5}};

	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		near_to("score", mos_from_rating(table[i].r), table[i].mos, 0.006);
	for (double r = -10; r < 110; r += 0.5)
		assert_true(mos_from_rating(r + 0.5) >= mos_from_rating(r));
}

/* G.107's default connection has 93.2; with losses by Ie,eff of G.113 appendix I. */
static void test_ratings(void **state)
{
	static const struct {
		const char *codec;
		double loss, delay, r;
	} table[] = {
		{"PCMU", 0, 0, 93.2},
		{"PCMA", 0, 100, 90.8},
		{"PCMA", 0, 177.3, 88.94},
		{"PCMA", 0, 277.3, 75.54},
		{"pcmu", 25.1, 0, 93.2 - 47.5}, /* half of the way at loss Bpl */
		{"PCMU", 2, 0, 93.2 - 95 * 2 / 27.1},
		{"G729", 0, 0, 82.2},
		{"G729", 19, 0, 93.2 - 11 - 42},
		{"G723", 0, 0, 78.2},
		{"G723", 16.1, 0, 93.2 - 15 - 40},
		{"GSM-EFR", 10, 0, 93.2 - 5 - 45},
		{"AMR", 10, 0, 93.2 - 5 - 45},
		/* Ie of table I.1; Bpl of what stands loss likewise. */
		{"G726-32", 25.1, 0, 93.2 - 7 - 44},
		{"GSM", 10, 0, 93.2 - 20 - 37.5},
		{"iLBC", 25.1, 0, 93.2 - 11 - 42},
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct mos_input in = {
			codec_find((struct str_view){table[i].codec, strlen(table[i].codec)}),
			table[i].loss, table[i].delay};

		assert_non_null(in.codec);
		near_to(table[i].codec, mos_rating(&in), table[i].r, 0.01);
	}
}

static void test_estimates(void **state)
{
	const struct codec *events = codec_find(SV("telephone-event"));

	near_to("G.711 at its best", mos_estimate(codec_static(0), 0, 0), 4.40, 0.01);
	near_to("G.729 at its best", mos_estimate(codec_static(18), 0, 0), 4.10, 0.03);
	near_to("an unknown codec is G.711", mos_estimate(NULL, 3, 10),
		mos_estimate(codec_static(8), 3, 10), 0);
	near_to("and so are events", mos_estimate(events, 3, 10),
		mos_estimate(codec_static(8), 3, 10), 0);
	assert_true(mos_estimate(NULL, 5, 0) < mos_estimate(NULL, 1, 0));
	assert_true(mos_estimate(NULL, 0, 200) < mos_estimate(NULL, 0, 20));
	near_to("all lost", mos_estimate(NULL, 100, 0), 1.0, 0.3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scores),
		cmocka_unit_test(test_ratings),
		cmocka_unit_test(test_estimates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
