/*
 * Single-producer single-consumer byte ring in shared memory, between processes
 * that do not trust each other. Each side keeps its own cursor in private memory;
 * what it reads from the other side is copied, then checked.
 */
#ifndef SALLYPORT_API_RING_H
#define SALLYPORT_API_RING_H

#include "base.h"

/** Shared head of a ring; the data area of `size` bytes follows it directly. */
struct ring_shared {
	_Alignas(64) uint64_t head; /* producer: wo, consumer: ro. Bytes ever written */
	_Alignas(64) uint64_t tail; /* consumer: wo, producer: ro. Bytes ever read */
	uint32_t asleep; /* consumer sets before it sleeps; producer clears when it wakes it */
	_Alignas(64) uint8_t data[];
};

/** First bytes of every record; len counts the whole record before padding to 8. */
struct record_hdr {
	uint32_t len;	  /* bytes with this header */
	uint16_t type;	  /* enum record_type */
	uint16_t version; /* API_VERSION */
};
static_assert(sizeof(struct record_hdr) == 8, "wire layout");

/** One side's private handle. Either side uses just its half. */
struct ring {
	struct ring_shared *shared;
	uint32_t size;	      /* power of two, bytes */
	int event_fd;	      /* consumer's eventfd; the producer writes it to wake */
	uint64_t cursor;      /* own head (producer) or tail (consumer) */
	uint64_t unpublished; /* producer: head that publish will show */
	uint64_t seen;	      /* the other side's cursor when it was last looked at */
	uint64_t malformed;   /* bad cursor or record seen from the other side */
	uint64_t full;	      /* producer: puts refused */
};

/** Bytes of shared memory that a ring of `size` data bytes takes. */
size_t ring_footprint(uint32_t size);

/** Zero the shared head (creator only). */
void ring_format(struct ring_shared *shared);

/** Bind a handle. @param size power of two, 4 KiB..64 MiB. @return 0 or -EINVAL. */
int ring_init(struct ring *r, void *shared, uint32_t size, int event_fd);

/**
 * Producer: append one record gathered from up to n pieces; the first piece starts with a
 * struct record_hdr whose len is set by this call. Not visible before ring_publish().
 * @return 0, -ENOBUFS when full (counted), -EMSGSIZE when larger than a quarter of the ring.
 */
int ring_put(struct ring *r, const struct str_view *pieces, unsigned int n);

/**
 * Producer: room for a record that is written in place, all of it, its header with its length too;
 * seen by the other side after ring_publish() as with ring_put().
 * @param len  of the record, at least sizeof(struct record_hdr).
 * @return at a multiple of 8; NULL: there is none that does not wrap, ring_put() may have some.
 */
void *ring_place(struct ring *r, size_t len);

/** Producer: free share of the ring in percent, 0..100 (unpublished records count as used). More
 * than 87 may be too little. */
unsigned int ring_free_percent(struct ring *r);

/** Producer: make records visible; wake the consumer if it sleeps. @return true if it wrote the
 * eventfd. */
bool ring_publish(struct ring *r);

/**
 * Consumer: copy the next record into buf.
 * @return its length (>= sizeof(struct record_hdr)); 0 when empty; -EBADMSG when the ring's
 *         cursors or the record were malformed: counted, and everything up to head is skipped;
 *         -EMSGSIZE when it does not fit cap: counted as malformed and skipped.
 */
int ring_get(struct ring *r, void *buf, size_t cap);

/** Consumer: hand read space back to the producer (once a burst). */
void ring_release(struct ring *r);

/** Consumer: about to sleep. @return true if the ring is empty and the sleep flag is set; false:
 * read on. */
bool ring_sleep(struct ring *r);

/** Consumer: woken by other means; clear the sleep flag. */
void ring_awake(struct ring *r);

#endif
