/*
 * The heap of this process: jemalloc's own figures, or what the C library or the
 * sanitizer knows where jemalloc is not built in.
 */
#include <malloc.h>

#include "base.h"
#include "heap.h"

#if defined(__SANITIZE_ADDRESS__)
#define HEAP_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HEAP_ASAN 1
#endif
#endif

#if defined(HAVE_JEMALLOC)

#include <jemalloc/jemalloc.h>

/* Transactions linger for 32 s: what is touched next is in no cache, and with pages of 4 KiB not in
 * the TLB either. What is given back is unmapped, since the kernel would fill mapped holes of huge
 * pages up again. (By name: jemalloc reads it before main().) */
const char *malloc_conf = "thp:always,retain:false";

static uint64_t ctl_get(const char *name)
{
	size_t v = 0, len = sizeof(v);

	if (mallctl(name, &v, &len, NULL, 0) != 0)
		return 0;
	return v;
}

void heap_arena_own(void)
{
	unsigned int arena = 0;
	size_t len = sizeof(arena);

	if (mallctl("arenas.create", &arena, &len, NULL, 0) == 0)
		mallctl("thread.arena", NULL, NULL, &arena, sizeof(arena));
}

void heap_flush(void)
{
	mallctl("thread.tcache.flush", NULL, NULL, NULL, 0);
}

static json_t *arenas_json(void)
{
	json_t *list = json_array();
	unsigned int n = 0;
	size_t len = sizeof(n);

	mallctl("arenas.narenas", &n, &len, NULL, 0);
	for (unsigned int i = 0; i < n && i < 256; i++) {
		char name[64];
		uint64_t allocated;

		snprintf(name, sizeof(name), "stats.arenas.%u.small.allocated", i);
		allocated = ctl_get(name);
		snprintf(name, sizeof(name), "stats.arenas.%u.large.allocated", i);
		allocated += ctl_get(name);
		if (allocated > 0)
			json_array_append_new(list, json_pack("{s:i, s:I}", "arena", (int)i,
							    "allocated", (json_int_t)allocated));
	}
	return list;
}

json_t *heap_json(void)
{
	uint64_t epoch = 1;
	size_t len = sizeof(epoch);

	heap_flush();
	/* jemalloc's figures are those of the last advance of its epoch. */
	mallctl("epoch", &epoch, &len, &epoch, len);
	return json_pack("{s:s, s:I, s:I, s:I, s:o}", "allocator", "jemalloc", "allocated",
		(json_int_t)ctl_get("stats.allocated"), "active",
		(json_int_t)ctl_get("stats.active"), "resident",
		(json_int_t)ctl_get("stats.resident"), "arenas", arenas_json());
}

#else

#ifdef HEAP_ASAN
/* sanitizer/allocator_interface.h, which gcc does not ship. */
size_t __sanitizer_get_current_allocated_bytes(void);
size_t __sanitizer_get_heap_size(void);
#endif

void heap_arena_own(void)
{
}

void heap_flush(void)
{
}

json_t *heap_json(void)
{
#ifdef HEAP_ASAN
	size_t allocated = __sanitizer_get_current_allocated_bytes();
	size_t held = __sanitizer_get_heap_size();
	const char *name = "sanitizer";
#else
	struct mallinfo2 info = mallinfo2();
	size_t allocated = info.uordblks + info.hblkhd, held = info.arena + info.hblkhd;
	const char *name = "libc";
#endif

	return json_pack("{s:s, s:I, s:I, s:I, s:[]}", "allocator", name, "allocated",
		(json_int_t)allocated, "active", (json_int_t)held, "resident", (json_int_t)held,
		"arenas");
}

#endif
