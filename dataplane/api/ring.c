#include <errno.h>
#include <unistd.h>

#include "ring.h"

/*
 * Records lie at multiples of 8 and may wrap around the end of the data area: both
 * sides copy in two parts then, so there is no padding record and nothing to trust
 * about it. The header is 8 bytes at a multiple of 8: it never wraps.
 *
 * Cursors count bytes for ever; only their difference and their low bits are used.
 */

#define RING_SIZE_MIN (4u << 10)
#define RING_SIZE_MAX (64u << 20)

static uint64_t pad8(uint64_t n)
{
	return (n + 7) & ~7ull;
}

size_t ring_footprint(uint32_t size)
{
	return sizeof(struct ring_shared) + size;
}

void ring_format(struct ring_shared *shared)
{
	memset(shared, 0, sizeof(*shared));
}

int ring_init(struct ring *r, void *shared, uint32_t size, int event_fd)
{
	if (shared == NULL || (uintptr_t)shared % _Alignof(struct ring_shared) != 0)
		return -EINVAL;
	if (size < RING_SIZE_MIN || size > RING_SIZE_MAX || (size & (size - 1)) != 0)
		return -EINVAL;
	*r = (struct ring){.shared = shared, .size = size, .event_fd = event_fd};
	return 0;
}

static void ring_copy_in(struct ring *r, uint64_t at, const void *src, size_t len)
{
	size_t off = at & (r->size - 1), first = r->size - off;

	if (first > len)
		first = len;
	memcpy(r->shared->data + off, src, first);
	memcpy(r->shared->data, (const char *)src + first, len - first);
}

static void ring_copy_out(const struct ring *r, uint64_t at, void *dst, size_t len)
{
	size_t off = at & (r->size - 1), first = r->size - off;

	if (first > len)
		first = len;
	memcpy(dst, r->shared->data + off, first);
	memcpy((char *)dst + first, r->shared->data, len - first);
}

/* Producer: bytes in use as far as known. A tail that cannot be makes the ring look full: harmless
 * to us. */
static uint64_t ring_used(struct ring *r)
{
	uint64_t used = r->unpublished - r->seen;

	if (used > r->size) {
		r->malformed++;
		return r->size;
	}
	return used;
}

/* The tail's cache line is the other core's: it is looked at when it matters, not for each record.
 */
static uint64_t ring_used_now(struct ring *r)
{
	r->seen = __atomic_load_n(&r->shared->tail, __ATOMIC_ACQUIRE);
	return ring_used(r);
}

/* Space that a record of this length will take next is fetched for writing, bytes that are read
 * next for reading: the other core has had them last. */
static void fetch_to_write(const uint8_t *p, size_t len)
{
#if defined(__x86_64__)
	for (size_t i = 0; i < len; i += 64)
		__asm__ volatile("prefetchw %0" : : "m"(p[i]));
#endif
}

static void fetch_to_read(const struct ring *r, uint64_t at, uint64_t len)
{
	size_t off = at & (r->size - 1);

	if (len > r->size - off)
		len = r->size - off;
	for (size_t i = 0; i < len; i += 64)
		__builtin_prefetch(r->shared->data + off + i);
}

/* A record that does not wrap, which is nearly every one. */
static void record_write(
	uint8_t *to, const struct str_view *pieces, unsigned int n, const struct record_hdr *hdr)
{
	uint8_t *start = to;

	for (unsigned int i = 0; i < n; i++) {
		if (pieces[i].len > 0)
			memcpy(to, pieces[i].p, pieces[i].len);
		to += pieces[i].len;
	}
	memcpy(start, hdr, sizeof(*hdr));
}

static bool has_room(struct ring *r, uint64_t len)
{
	return r->size - ring_used(r) >= pad8(len) || r->size - ring_used_now(r) >= pad8(len);
}

void *ring_place(struct ring *r, size_t len)
{
	size_t off = r->unpublished & (r->size - 1);
	uint8_t *to = r->shared->data + off;

	/* The next one, which is fetched, is not to wrap either. */
	if (len > r->size / 4 || r->size - off < 2 * len || !has_room(r, len))
		return NULL;
	fetch_to_write(to + len, len);
	r->unpublished += pad8(len);
	return to;
}

int ring_put(struct ring *r, const struct str_view *pieces, unsigned int n)
{
	struct record_hdr hdr;
	uint64_t len = 0, at;
	uint8_t *to;

	for (unsigned int i = 0; i < n; i++)
		len += pieces[i].len;
	if (n == 0 || pieces[0].len < sizeof(hdr) || len > r->size / 4)
		return -EMSGSIZE;
	memcpy(&hdr, pieces[0].p, sizeof(hdr));
	hdr.len = (uint32_t)len;
	to = ring_place(r, len);
	if (to != NULL) {
		record_write(to, pieces, n, &hdr);
		return 0;
	}
	if (!has_room(r, len)) {
		r->full++;
		return -ENOBUFS;
	}
	at = r->unpublished;
	r->unpublished += pad8(len);
	ring_copy_in(r, at, &hdr, sizeof(hdr));
	ring_copy_in(r, at + sizeof(hdr), pieces[0].p + sizeof(hdr), pieces[0].len - sizeof(hdr));
	at += pieces[0].len;
	for (unsigned int i = 1; i < n; i++) {
		if (pieces[i].len > 0)
			ring_copy_in(r, at, pieces[i].p, pieces[i].len);
		at += pieces[i].len;
	}
	return 0;
}

unsigned int ring_free_percent(struct ring *r)
{
	uint64_t used = ring_used(r);

	/* Nobody has to know more exactly that there is much. */
	if (used > r->size / 8)
		used = ring_used_now(r);
	/* The size is a power of two. */
	return (unsigned int)((r->size - used) * 100 >> __builtin_ctz(r->size));
}

/*
 * No wake-up may be lost. The consumer writes `asleep` and then reads `head`; the
 * producer writes `head` and then reads `asleep`. All four are sequentially consistent,
 * so they stand in one order, and in any order at least one side reads what the other
 * wrote (Dekker): either the consumer sees the record and stays awake, or the producer
 * sees the flag and wakes it. With acquire and release alone both could read the old
 * value. Sequentially consistent accesses rather than fences: ThreadSanitizer knows
 * them, and on x86 either is one locked instruction a burst.
 */
bool ring_publish(struct ring *r)
{
	uint64_t one = 1;

	if (r->cursor == r->unpublished)
		return false;
	r->cursor = r->unpublished;
	__atomic_store_n(&r->shared->head, r->cursor, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&r->shared->asleep, __ATOMIC_SEQ_CST) == 0 ||
		__atomic_exchange_n(&r->shared->asleep, 0, __ATOMIC_SEQ_CST) == 0)
		return false;
	/* EAGAIN: the counter is at its maximum, so the consumer has a wake-up pending. */
	if (r->event_fd >= 0 && write(r->event_fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
		return false;
	return true;
}

bool ring_sleep(struct ring *r)
{
	__atomic_store_n(&r->shared->asleep, 1, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&r->shared->head, __ATOMIC_SEQ_CST) == r->cursor)
		return true;
	ring_awake(r);
	return false;
}

void ring_awake(struct ring *r)
{
	__atomic_store_n(&r->shared->asleep, 0, __ATOMIC_RELAXED);
}

int ring_get(struct ring *r, void *buf, size_t cap)
{
	uint64_t avail;
	struct record_hdr hdr;

	if (r->seen == r->cursor)
		r->seen = __atomic_load_n(&r->shared->head, __ATOMIC_ACQUIRE);
	avail = r->seen - r->cursor;
	if (avail == 0)
		return 0;
	if (avail > r->size || avail < sizeof(hdr))
		goto malformed;
	/* The producer may rewrite the header at any time: this copy is what counts. */
	ring_copy_out(r, r->cursor, &hdr, sizeof(hdr));
	if (hdr.len < sizeof(hdr) || hdr.len > r->size / 4 || pad8(hdr.len) > avail)
		goto malformed;
	if (hdr.len > cap) {
		r->malformed++;
		r->cursor += pad8(hdr.len);
		return -EMSGSIZE;
	}
	memcpy(buf, &hdr, sizeof(hdr));
	ring_copy_out(r, r->cursor + sizeof(hdr), (char *)buf + sizeof(hdr), hdr.len - sizeof(hdr));
	r->cursor += pad8(hdr.len);
	/* The next one is mostly as long as this. */
	avail -= pad8(hdr.len);
	fetch_to_read(r, r->cursor, avail < hdr.len ? avail : hdr.len);
	return (int)hdr.len;
malformed:
	r->malformed++;
	r->cursor = r->seen;
	return -EBADMSG;
}

void ring_release(struct ring *r)
{
	__atomic_store_n(&r->shared->tail, r->cursor, __ATOMIC_RELEASE);
}
