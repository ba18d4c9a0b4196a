/*
 * Packet filters that cross the boundary: what tcpdump makes passes, what could leave
 * its own bounds does not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <linux/filter.h>

#include "bpf_check.h"

#define RET_ALL \
	{ \
		BPF_RET | BPF_K, 0, 0, 0x40000 \
	}

static const struct program {
	const char *what;
	bool valid;
	size_t n;
	struct bpf_step steps[6];
} programs[] = {
	{"no filter", true, 0, {{0}}},
	{"everything", true, 1, {RET_ALL}},
	{"IPv4 only", true, 4,
		{{BPF_LD | BPF_H | BPF_ABS, 0, 0, 12}, {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0x800},
			RET_ALL, {BPF_RET | BPF_K, 0, 0, 0}}},
	{"scratch memory", true, 4,
		{{BPF_LD | BPF_IMM, 0, 0, 7}, {BPF_ST, 0, 0, 15}, {BPF_LDX | BPF_MEM, 0, 0, 15},
			{BPF_RET | BPF_A, 0, 0, 0}}},
	{"header length", true, 4,
		{{BPF_LDX | BPF_B | BPF_MSH, 0, 0, 14}, {BPF_LD | BPF_H | BPF_IND, 0, 0, 16},
			{BPF_ALU | BPF_AND | BPF_K, 0, 0, 0x1fff}, {BPF_RET | BPF_A, 0, 0, 0}}},
	{"jump over the last step", false, 3, {{BPF_JMP | BPF_JA, 0, 0, 2}, RET_ALL, RET_ALL}},
	{"jump with a wrapped distance", false, 2, {{BPF_JMP | BPF_JA, 0, 0, 0xffffffff}, RET_ALL}},
	{"branch beyond the end", false, 3,
		{{BPF_JMP | BPF_JEQ | BPF_K, 0, 2, 1}, RET_ALL, RET_ALL}},
	{"no return", false, 1, {{BPF_LD | BPF_IMM, 0, 0, 7}}},
	{"store beyond the scratch memory", false, 2, {{BPF_ST, 0, 0, 16}, RET_ALL}},
	{"load beyond the scratch memory", false, 2,
		{{BPF_LD | BPF_MEM, 0, 0, 0x80000000}, RET_ALL}},
	{"division by zero", false, 2, {{BPF_ALU | BPF_DIV | BPF_K, 0, 0, 0}, RET_ALL}},
	{"shift by a word", false, 2, {{BPF_ALU | BPF_LSH | BPF_K, 0, 0, 32}, RET_ALL}},
	{"unknown opcode", false, 2, {{0xffff, 0, 0, 0}, RET_ALL}},
	{"unknown operation", false, 2, {{BPF_ALU | 0xf0, 0, 0, 0}, RET_ALL}},
	{"jump by X", false, 2, {{BPF_JMP | BPF_JA | BPF_X, 0, 0, 0}, RET_ALL}},
};

static void test_programs(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(programs); i++) {
		const struct program *p = &programs[i];

		if (bpf_check(p->steps, p->n) != p->valid)
			fail_msg("%s: %s", p->what, p->valid ? "refused" : "taken");
	}
}

static void test_longest(void **state)
{
	struct bpf_step steps[BPF_STEPS_MAX + 1];

	for (size_t i = 0; i < ARRAY_LEN(steps); i++)
		steps[i] = (struct bpf_step)RET_ALL;
	assert_true(bpf_check(steps, BPF_STEPS_MAX));
	assert_false(bpf_check(steps, BPF_STEPS_MAX + 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_programs),
		cmocka_unit_test(test_longest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
