#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "cdr_file.h"
#include "rpc_socket.h"

#include "log.h"

struct cdr_file {
	pthread_mutex_t lock;
	char file[256];
	int fd; /* -1: not open */
	dev_t dev;
	ino_t ino;
	bool complained; /* once a failure, until a record was written again */
	struct cdr_file_stats stats;
};

static void complain(struct cdr_file *c, const char *what, int err)
{
	if (!c->complained)
		log_error("%s file=%s error=\"%s\"", what, c->file, strerror(err));
	c->complained = true;
}

/* Open, or open anew after the file was renamed or removed. */
static int file_open(struct cdr_file *c)
{
	struct stat st;

	if (c->fd >= 0 && stat(c->file, &st) == 0 && st.st_dev == c->dev && st.st_ino == c->ino)
		return 0;
	if (c->fd >= 0)
		close(c->fd);
	path_make_parent(c->file);
	c->fd = open(c->file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (c->fd < 0 || fstat(c->fd, &st) < 0) {
		complain(c, "cannot open the CDR file, call records are lost", errno);
		return -EIO;
	}
	c->dev = st.st_dev;
	c->ino = st.st_ino;
	return 0;
}

struct cdr_file *cdr_file_new(const char *file)
{
	struct cdr_file *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	pthread_mutex_init(&c->lock, NULL);
	c->fd = -1;
	snprintf(c->file, sizeof(c->file), "%s", file != NULL ? file : "");
	if (c->file[0] != '\0')
		file_open(c);
	return c;
}

void cdr_file_free(struct cdr_file *c)
{
	if (c == NULL)
		return;
	if (c->fd >= 0)
		close(c->fd);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

/* Take back the n bytes that the disk had room for: the next line would go on there. */
static void lines_undo(struct cdr_file *c, ssize_t n)
{
	off_t end = lseek(c->fd, 0, SEEK_CUR);

	if (end >= n && ftruncate(c->fd, end - n) < 0)
		complain(c, "cannot take back a part of a call record", errno);
}

/* One write for all: O_APPEND makes it land whole. */
static int lines_write(struct cdr_file *c, const struct iovec *parts, int n_parts, ssize_t len)
{
	ssize_t n;

	if (file_open(c) < 0)
		return -EIO;
	do {
		n = writev(c->fd, parts, n_parts);
	} while (n < 0 && errno == EINTR);
	if (n == len)
		return 0;
	complain(c, "cannot write the CDR file, call records are lost", n < 0 ? errno : ENOSPC);
	if (n > 0)
		lines_undo(c, n);
	close(c->fd);
	c->fd = -1;
	return -EIO;
}

static void count(struct cdr_file *c, int rc, uint64_t records)
{
	if (rc == 0) {
		c->stats.written += records;
		c->complained = false;
	} else {
		c->stats.failed += records;
	}
}

void cdr_file_write(struct cdr_file *c, struct str_view record)
{
	const struct iovec parts[] = {{(void *)record.p, record.len}, {"\n", 1}};
	int rc = -EMSGSIZE;

	if (c->file[0] == '\0')
		return;
	pthread_mutex_lock(&c->lock);
	if (record.p != NULL)
		rc = lines_write(c, parts, ARRAY_LEN(parts), (ssize_t)record.len + 1);
	count(c, rc, 1);
	pthread_mutex_unlock(&c->lock);
}

/* --- several at once --- */

void cdr_batch_add(void *batch, struct str_view record)
{
	struct cdr_batch *b = batch;

	if (record.len >= sizeof(b->lines) - b->len)
		cdr_batch_flush(b);
	if (record.p == NULL || record.len >= sizeof(b->lines)) {
		cdr_file_write(b->file, record);
		return;
	}
	memcpy(b->lines + b->len, record.p, record.len);
	b->len += record.len;
	b->lines[b->len++] = '\n';
	b->records++;
}

void cdr_batch_flush(struct cdr_batch *b)
{
	struct cdr_file *c = b->file;
	const struct iovec part = {b->lines, b->len};

	if (b->records > 0 && c->file[0] != '\0') {
		pthread_mutex_lock(&c->lock);
		count(c, lines_write(c, &part, 1, (ssize_t)b->len), b->records);
		pthread_mutex_unlock(&c->lock);
	}
	b->len = 0;
	b->records = 0;
}

struct cdr_file_stats cdr_file_get_stats(struct cdr_file *c)
{
	struct cdr_file_stats s;

	pthread_mutex_lock(&c->lock);
	s = c->stats;
	pthread_mutex_unlock(&c->lock);
	return s;
}
