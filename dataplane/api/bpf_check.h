/*
 * Classic BPF programs (packet filters) as records carry them, and the check that one
 * is safe to run: it ends, and stays inside itself and its scratch memory.
 */
#ifndef SALLYPORT_API_BPF_CHECK_H
#define SALLYPORT_API_BPF_CHECK_H

#include "base.h"

/** One instruction: the layout of struct sock_filter (linux/filter.h) and of libpcap. */
struct bpf_step {
	uint16_t code;
	uint8_t jt;
	uint8_t jf;
	uint32_t k;
};
static_assert(sizeof(struct bpf_step) == 8, "wire layout");

/** Longest program; tcpdump's usual filters have 5 to 40 steps. */
#define BPF_STEPS_MAX 96

/**
 * Every opcode is a known one, jumps go forward and stay inside, scratch memory is used within
 * its 16 words, no division by a constant zero, and the last step returns.
 * @param n  0..BPF_STEPS_MAX; 0 is "no filter", which is fine.
 */
bool bpf_check(const struct bpf_step *steps, size_t n);

#endif
