/*
 * How much of a processor core is ours? A hyperthread whose twin works for somebody else (on a
 * shared host one cannot see who) gets about half of what the core can do, at the same clock and
 * without any steal time. Additions that wait for each other run one a cycle on either; those that
 * do not, four a cycle on a core of one's own. Prints the second by the first, by four:
 * 1.00 is a whole core (more, where a core is wider), about 0.55 a shared one.
 */
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#define ROUNDS 8
#define TURNS 1000000 /* of eight additions: about 3 ms */

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t); /* others of this machine are no matter */
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

#if defined(__x86_64__)
/* Of a register: some processors add a constant without taking any time for it. */
#define ADD(reg) "add %%rdi, %%" reg "\n\t"

static uint64_t chained_ns(void)
{
	uint64_t start = now_ns();

	for (unsigned int i = 0; i < TURNS; i++)
		__asm__ volatile(ADD("rax") ADD("rax") ADD("rax") ADD("rax") ADD("rax") ADD("rax")
					 ADD("rax") ADD("rax")
				 :
				 :
				 : "rax", "cc");
	return now_ns() - start;
}

static uint64_t apart_ns(void)
{
	uint64_t start = now_ns();

	for (unsigned int i = 0; i < TURNS; i++)
		__asm__ volatile(ADD("rax") ADD("rdx") ADD("rcx") ADD("rsi") ADD("r8") ADD("r9")
					 ADD("r10") ADD("r11")
				 :
				 :
				 : "rax", "rdx", "rcx", "rsi", "r8", "r9", "r10", "r11", "cc");
	return now_ns() - start;
}
#endif

int main(void)
{
#if defined(__x86_64__)
	uint64_t chained = 0, apart = 0;

	for (unsigned int i = 0; i < ROUNDS; i++) {
		chained += chained_ns();
		apart += apart_ns();
	}
	printf("%.2f\n", (double)chained / (double)apart / 4);
	return 0;
#else
	return 1; /* nobody has written the additions down for this processor */
#endif
}
