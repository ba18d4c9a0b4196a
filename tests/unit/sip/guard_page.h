/*
 * A copy of test input that ends exactly where an unreadable page begins, so that
 * one byte read too far ends the test.
 */
#ifndef SALLYPORT_TESTS_GUARD_PAGE_H
#define SALLYPORT_TESTS_GUARD_PAGE_H

#include <sys/mman.h>
#include <unistd.h>

#include "base.h"

struct guard {
	char *map;
	size_t room; /* readable bytes in front of the guard page */
	size_t map_len;
};

/* Room for `room` bytes at least. Ends the program when the kernel refuses. */
static inline struct guard guard_new(size_t room)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct guard g;

	g.room = (room + page - 1) / page * page;
	g.map_len = g.room + page;
	g.map = mmap(NULL, g.map_len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (g.map == MAP_FAILED || mprotect(g.map + g.room, page, PROT_NONE) != 0) {
		fprintf(stderr, "guard page: no memory\n");
		exit(1);
	}
	return g;
}

static inline void guard_free(struct guard *g)
{
	munmap(g->map, g->map_len);
}

/* Copy n bytes so that they end at the guard page. */
static inline const char *guard_put(const struct guard *g, const void *p, size_t n)
{
	char *at = g->map + g->room - n;

	assert(n <= g->room);
	if (n > 0)
		memcpy(at, p, n);
	return at;
}

#endif
