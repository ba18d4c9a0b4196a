/*
 * Work for another thread: a queue of calls under a mutex, with an eventfd that the
 * owner's event loop watches. Calls run in the order they were posted.
 */
#ifndef SALLYPORT_CONTROL_MAILBOX_H
#define SALLYPORT_CONTROL_MAILBOX_H

#include <pthread.h>

#include "base.h"

/** Runs in the owner's thread. */
typedef void (*mail_fn)(void *owner, void *arg);

struct mail;

struct mailbox {
	pthread_mutex_t lock;
	struct mail *first, **last; /* under lock */
	void *owner;
	int fd; /* readable when there is mail */
};

/** @return 0 or -errno. */
int mailbox_init(struct mailbox *m, void *owner);
/** Runs what is left. Nobody may post any more. No-op after a failed mailbox_init(). */
void mailbox_fini(struct mailbox *m);
/** Any thread. @param arg  fn's to free. @return 0 or -ENOMEM (fn will not be called). */
int mailbox_post(struct mailbox *m, mail_fn fn, void *arg);
/** Owner: run what was posted so far. */
void mailbox_run(struct mailbox *m);

#endif
