/*
 * jemalloc's arenas and figures, where it is built in.
 */
#ifndef SALLYPORT_CONTROL_HEAP_H
#define SALLYPORT_CONTROL_HEAP_H

#include <jansson.h>

/** Give the calling thread an arena of its own (no-op without jemalloc). */
void heap_arena_own(void);
/** Give this thread's cached free memory back, so that heap_json() counts what is in use. */
void heap_flush(void);
/** {allocator, allocated, active, resident, arenas: [{arena, allocated}]} of this process. */
json_t *heap_json(void);

#endif
