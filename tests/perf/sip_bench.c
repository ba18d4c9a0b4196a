#include "sip_bench.h"

#include <time.h>

#include <x86intrin.h>

#define SLICES_MAX 4096
#define SLICE_NS \
	20000000 /* short beside what other programs do, long beside the clock's own cost */

static struct sip_messages messages;

/* Work of one slice. */
struct slice {
	uint64_t messages, ns, cycles;
};

static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static uint64_t wall_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static uint64_t pass(const struct sip_bench *row)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < SIP_MESSAGES; i++) {
		if (row->parse(messages.msg[i], &sum))
			continue;
		fprintf(stderr, "%s: refused:\n%.*s\n", row->name, SV_ARG(messages.msg[i]));
		exit(1);
	}
	return sum;
}

static void check(const struct sip_bench *row, uint64_t first, uint64_t now)
{
	if (now == first)
		return;
	fprintf(stderr, "%s: a later pass found something else\n", row->name);
	exit(1);
}

static void slice_run(const struct sip_bench *row, uint64_t first, struct slice *s)
{
	uint64_t cpu = cpu_ns(), wall = wall_ns(), tsc = __rdtsc();

	s->messages = 0;
	do {
		check(row, first, pass(row));
		s->messages += SIP_MESSAGES;
		s->ns = cpu_ns() - cpu;
	} while (s->ns < SLICE_NS);
	/* Less the cycles when others had the core. */
	s->cycles =
		(uint64_t)((double)(__rdtsc() - tsc) * (double)s->ns / (double)(wall_ns() - wall));
}

static int by_rate(const void *a, const void *b)
{
	const struct slice *x = a, *y = b;
	double dx = (double)x->messages / (double)x->ns, dy = (double)y->messages / (double)y->ns;

	return (dx > dy) - (dx < dy);
}

static void measure(const struct sip_bench *row, double seconds)
{
	static struct slice slices[SLICES_MAX];
	uint64_t first = pass(row), until = cpu_ns() + (uint64_t)(seconds * 1e9);
	const struct slice *median;
	unsigned int n = 0;
	size_t bytes = 0;

	while (n < SLICES_MAX && (n == 0 || cpu_ns() < until))
		slice_run(row, first, &slices[n++]);
	qsort(slices, n, sizeof(slices[0]), by_rate);
	median = &slices[n / 2];
	for (unsigned int i = 0; i < SIP_MESSAGES; i++)
		bytes += messages.msg[i].len;
	printf("{\"value\": %.0f, \"cycles\": %.1f, \"bytes\": %zu, \"facts\": %llu}\n",
		(double)median->messages * 1e9 / (double)median->ns,
		(double)median->cycles / (double)median->messages, bytes / SIP_MESSAGES,
		(unsigned long long)first);
}

int sip_bench_main(int argc, char **argv, const struct sip_bench *rows)
{
	const struct sip_bench *row = rows;

	while (row->name != NULL && (argc < 3 || strcmp(row->name, argv[1]) != 0))
		row++;
	if (row->name == NULL) {
		fprintf(stderr,
			"usage: %s NAME SECONDS | NAME -n PASSES; NAME is one of:", argv[0]);
		for (row = rows; row->name != NULL; row++)
			fprintf(stderr, " %s", row->name);
		fprintf(stderr, "\n");
		return 2;
	}
	sip_messages_build(&messages);
	if (strcmp(argv[2], "-n") != 0) {
		measure(row, strtod(argv[2], NULL));
		return 0;
	}
	for (unsigned long n = argc > 3 ? strtoul(argv[3], NULL, 10) : 1; n > 0; n--)
		pass(row);
	return 0;
}
