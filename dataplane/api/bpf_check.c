#include "bpf_check.h"

#include <linux/filter.h>

/* What a step of each opcode must still be looked at for. */
enum bpf_need {
	NEED_REFUSE, /* no such opcode */
	NEED_NOTHING,
	NEED_MEMORY,  /* k: index of a scratch word */
	NEED_DIVISOR, /* k is not 0 */
	NEED_SHIFT,   /* k: 0..31 */
	NEED_JUMP,    /* k: distance */
	NEED_BRANCH,  /* jt and jf: distances */
};

static enum bpf_need load_need(uint16_t code)
{
	switch (code) {
	case BPF_LD | BPF_IMM:
	case BPF_LD | BPF_W | BPF_ABS:
	case BPF_LD | BPF_H | BPF_ABS:
	case BPF_LD | BPF_B | BPF_ABS:
	case BPF_LD | BPF_W | BPF_IND:
	case BPF_LD | BPF_H | BPF_IND:
	case BPF_LD | BPF_B | BPF_IND:
	case BPF_LD | BPF_W | BPF_LEN:
	case BPF_LDX | BPF_IMM:
	case BPF_LDX | BPF_W | BPF_LEN:
	case BPF_LDX | BPF_B | BPF_MSH:
		return NEED_NOTHING;
	case BPF_LD | BPF_MEM:
	case BPF_LDX | BPF_MEM:
	case BPF_ST:
	case BPF_STX:
		return NEED_MEMORY;
	default:
		return NEED_REFUSE;
	}
}

static enum bpf_need alu_need(uint16_t code)
{
	bool by_x = BPF_SRC(code) == BPF_X;

	if ((code & ~(BPF_SRC(code) | BPF_OP(code))) != BPF_ALU)
		return NEED_REFUSE;
	switch (BPF_OP(code)) {
	case BPF_ADD:
	case BPF_SUB:
	case BPF_MUL:
	case BPF_OR:
	case BPF_AND:
	case BPF_XOR:
		return NEED_NOTHING;
	case BPF_DIV:
	case BPF_MOD:
		return by_x ? NEED_NOTHING : NEED_DIVISOR;
	case BPF_LSH:
	case BPF_RSH:
		return by_x ? NEED_NOTHING : NEED_SHIFT;
	case BPF_NEG:
		return by_x ? NEED_REFUSE : NEED_NOTHING;
	default:
		return NEED_REFUSE;
	}
}

static enum bpf_need jump_need(uint16_t code)
{
	if ((code & ~(BPF_SRC(code) | BPF_OP(code))) != BPF_JMP)
		return NEED_REFUSE;
	switch (BPF_OP(code)) {
	case BPF_JA:
		return BPF_SRC(code) == BPF_K ? NEED_JUMP : NEED_REFUSE;
	case BPF_JEQ:
	case BPF_JGT:
	case BPF_JGE:
	case BPF_JSET:
		return NEED_BRANCH;
	default:
		return NEED_REFUSE;
	}
}

static enum bpf_need step_need(uint16_t code)
{
	switch (BPF_CLASS(code)) {
	case BPF_LD:
	case BPF_LDX:
	case BPF_ST:
	case BPF_STX:
		return load_need(code);
	case BPF_ALU:
		return alu_need(code);
	case BPF_JMP:
		return jump_need(code);
	case BPF_RET:
		return code == (BPF_RET | BPF_K) || code == (BPF_RET | BPF_A) ? NEED_NOTHING
									      : NEED_REFUSE;
	default: /* BPF_MISC */
		return code == (BPF_MISC | BPF_TAX) || code == (BPF_MISC | BPF_TXA) ? NEED_NOTHING
										    : NEED_REFUSE;
	}
}

/* @param left  steps behind this one. */
static bool step_valid(const struct bpf_step *s, size_t left)
{
	switch (step_need(s->code)) {
	case NEED_NOTHING:
		return true;
	case NEED_MEMORY:
		return s->k < BPF_MEMWORDS;
	case NEED_DIVISOR:
		return s->k != 0;
	case NEED_SHIFT:
		return s->k < 32;
	case NEED_JUMP:
		return s->k < left;
	case NEED_BRANCH:
		return s->jt < left && s->jf < left;
	case NEED_REFUSE:
	default:
		return false;
	}
}

bool bpf_check(const struct bpf_step *steps, size_t n)
{
	if (n > BPF_STEPS_MAX)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!step_valid(&steps[i], n - 1 - i))
			return false;
	}
	return n == 0 || BPF_CLASS(steps[n - 1].code) == BPF_RET;
}
