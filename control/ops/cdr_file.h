/*
 * Call detail records: one JSON object a line, appended by whole writes, so that
 * several threads and log rotation need no agreement. Never stops a call.
 */
#ifndef SALLYPORT_CONTROL_CDR_FILE_H
#define SALLYPORT_CONTROL_CDR_FILE_H

#include "base.h"

struct cdr_file;

struct cdr_file_stats {
	uint64_t written;
	uint64_t failed; /* lost: disk full, directory gone ... */
};

/**
 * @param file  "" or NULL: records are dropped without counting. Its directory is made if just
 *              that is missing; the file is opened at once, and failure is logged, not fatal.
 * @return NULL when out of memory. Free with cdr_file_free().
 */
struct cdr_file *cdr_file_new(const char *file);
void cdr_file_free(struct cdr_file *c);

/**
 * Append one record (borrowed, JSON without a line feed) as a line; p NULL: it could not be made,
 * and counts as failed. Any thread.
 */
void cdr_file_write(struct cdr_file *c, struct str_view record);

/**
 * Records of one thread that go to the file in one write: a busy shard ends several calls a turn.
 * What the disk has no room for is lost as a whole. Zeroed but for `file` it is empty.
 */
struct cdr_batch {
	struct cdr_file *file; /* outlives it */
	unsigned int records;
	size_t len;
	char lines[32u << 10]; /* about 25 records */
};

/** As cdr_file_write(), by the next flush; fits struct b2bua_env.cdr with the batch as ctx. */
void cdr_batch_add(void *batch, struct str_view record);
void cdr_batch_flush(struct cdr_batch *b);

/** Any thread. */
struct cdr_file_stats cdr_file_get_stats(struct cdr_file *c);

#endif
