#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "mailbox.h"

struct mail {
	struct mail *next;
	mail_fn fn;
	void *arg;
};

int mailbox_init(struct mailbox *m, void *owner)
{
	*m = (struct mailbox){.owner = owner, .last = &m->first};
	m->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (m->fd < 0)
		return -errno;
	pthread_mutex_init(&m->lock, NULL);
	return 0;
}

void mailbox_fini(struct mailbox *m)
{
	if (m->fd < 0)
		return;
	mailbox_run(m);
	pthread_mutex_destroy(&m->lock);
	close(m->fd);
}

int mailbox_post(struct mailbox *m, mail_fn fn, void *arg)
{
	struct mail *mail = malloc(sizeof(*mail));
	bool was_empty;

	if (mail == NULL)
		return -ENOMEM;
	*mail = (struct mail){.fn = fn, .arg = arg};
	pthread_mutex_lock(&m->lock);
	was_empty = m->first == NULL;
	*m->last = mail;
	m->last = &mail->next;
	pthread_mutex_unlock(&m->lock);
	/* Cannot fail but for a full counter, and then the owner has a wake-up pending. */
	if (was_empty)
		eventfd_write(m->fd, 1);
	return 0;
}

void mailbox_run(struct mailbox *m)
{
	struct mail *mail;
	eventfd_t count;

	eventfd_read(m->fd, &count);
	pthread_mutex_lock(&m->lock);
	mail = m->first;
	m->first = NULL;
	m->last = &m->first;
	pthread_mutex_unlock(&m->lock);
	while (mail != NULL) {
		struct mail *next = mail->next;

		mail->fn(m->owner, mail->arg);
		free(mail);
		mail = next;
	}
}
