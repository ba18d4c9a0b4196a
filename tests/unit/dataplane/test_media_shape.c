/* The shape of media: headers cut at every byte, and what RTCP on RTP's port is told by. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "nodes/media_shape.h"

/* The bytes end where the memory does: the sanitizers see what is read beyond. */
static enum media_shape shape(unsigned int kind, const uint8_t *bytes, size_t len)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);
	enum media_shape s;

	assert_non_null(copy);
	memcpy(copy, bytes, len);
	s = media_shape_of(kind, copy, len);
	free(copy);
	return s;
}

/* How long each header is at least; one byte less is bad. */
static void test_rtp_cut(void **state)
{
	static const struct {
		uint8_t first;
		uint16_t words; /* of the extension */
		size_t need;
	} cases[] = {{0x80, 0, 12}, {0x81, 0, 16}, {0x8f, 0, 72}, {0x90, 0, 16}, {0x90, 2, 24},
		{0x93, 1, 32}, {0xa0, 0, 12}, {0x9f, 65535, 12 + 60 + 4 + 4 * 65535}};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint8_t *p = calloc(1, cases[i].need + 1);
		size_t ext = 12 + 4 * (cases[i].first & 15);

		assert_non_null(p);
		p[0] = cases[i].first;
		if ((p[0] & 0x10) != 0) {
			p[ext + 2] = (uint8_t)(cases[i].words >> 8);
			p[ext + 3] = (uint8_t)cases[i].words;
		}
		for (size_t len = 0; len < cases[i].need; len += len < 100 ? 1 : 4093)
			assert_int_equal(shape(STREAM_RTP, p, len), SHAPE_BAD);
		assert_int_equal(shape(STREAM_RTP, p, cases[i].need - 1), SHAPE_BAD);
		assert_int_equal(shape(STREAM_RTP, p, cases[i].need), SHAPE_RTP);
		assert_int_equal(shape(STREAM_RTP, p, cases[i].need + 1), SHAPE_RTP);
		free(p);
	}
}

static void test_versions_and_rtcp(void **state)
{
	uint8_t p[12] = {0};

	for (unsigned int version = 0; version < 4; version++) {
		p[0] = (uint8_t)(version << 6);
		assert_int_equal(shape(STREAM_RTP, p, 12), version == 2 ? SHAPE_RTP : SHAPE_BAD);
		assert_int_equal(shape(STREAM_RTCP, p, 8), version == 2 ? SHAPE_OTHER : SHAPE_BAD);
		assert_int_equal(shape(STREAM_ANY, p, 0), SHAPE_OTHER);
	}
	p[0] = 0x80;
	assert_int_equal(shape(STREAM_RTCP, p, 7), SHAPE_BAD);
	assert_int_equal(shape(STREAM_RTCP, p, 0), SHAPE_BAD);
}

/* RFC 5761 section 4, whatever the marker bit. */
static void test_mux(void **state)
{
	uint8_t p[12] = {0x80};

	for (unsigned int second = 0; second < 256; second++) {
		unsigned int type = second & 127;
		bool rtcp = type >= 64 && type <= 95;

		p[1] = (uint8_t)second;
		assert_int_equal(shape(STREAM_RTP_MUX, p, 12), rtcp ? SHAPE_OTHER : SHAPE_RTP);
		assert_int_equal(shape(STREAM_RTP_MUX, p, 8), rtcp ? SHAPE_OTHER : SHAPE_BAD);
		for (size_t len = 0; len < 8; len++)
			assert_int_equal(shape(STREAM_RTP_MUX, p, len), SHAPE_BAD);
		/* On a port of its own RTP may have any. */
		assert_int_equal(shape(STREAM_RTP, p, 12), SHAPE_RTP);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rtp_cut),
		cmocka_unit_test(test_versions_and_rtcp),
		cmocka_unit_test(test_mux),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
