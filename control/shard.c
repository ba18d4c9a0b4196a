#include <errno.h>
#include <sched.h>
#include <time.h>

#include <sys/eventfd.h>

#include "heap.h"
#include "log.h"
#include "replaces.h"
#include "shard_priv.h"

uint64_t shard_clock_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void on_mail(evutil_socket_t fd, short what, void *ctx)
{
	struct shard *s = ctx;

	mailbox_run(&s->mailbox);
}

static void on_ring(evutil_socket_t fd, short what, void *ctx)
{
	eventfd_t count;

	eventfd_read(fd, &count); /* the loop reads the rings */
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
	/* The loop runs what is due. */
}

static void timer_set(struct shard *s)
{
	uint64_t ms = timers_next_ms(&s->timers);
	struct timeval tv;

	if (ms == UINT64_MAX) {
		evtimer_del(s->timer_event);
		return;
	}
	tv.tv_sec = (time_t)(ms / 1000);
	tv.tv_usec = (suseconds_t)(ms % 1000 * 1000);
	evtimer_add(s->timer_event, &tv);
}

bool shard_turn(struct shard *s, uint64_t now_ms)
{
	const struct b2bua_stats *stats = b2bua_get_stats(s->b2bua);
	bool more;

	s->counts.turns++;
	timers_run(&s->timers, now_ms);
	overload_tick(s->overload, s->timers.now_ms);
	more = shard_rings_poll(s);
	media_flush(s->media);
	/* Before the reaper forgets these calls, which is a timer's work. */
	cdr_batch_flush(&s->records);
	shard_rings_publish(s);
	atomic_store_explicit(&s->calls_active, stats->calls_active, memory_order_relaxed);
	atomic_store_explicit(&s->requests_open, stats->requests_open, memory_order_relaxed);
	return more;
}

static void *shard_main(void *arg)
{
	struct shard *s = arg;

	heap_arena_own();
	while (!s->stop) {
		bool more = shard_turn(s, shard_clock_ms());

		if (!more)
			more = !shard_rings_sleep(s);
		timer_set(s);
		event_base_loop(s->base, more ? EVLOOP_NONBLOCK : EVLOOP_ONCE);
		shard_rings_awake(s);
	}
	shard_rings_publish(s);
	return NULL;
}

static int loop_init(struct shard *s)
{
	s->base = event_base_new();
	if (s->base == NULL)
		return -ENOMEM;
	s->mail_event = event_new(s->base, s->mailbox.fd, EV_READ | EV_PERSIST, on_mail, s);
	s->timer_event = evtimer_new(s->base, on_timer, s);
	if (s->mail_event == NULL || s->timer_event == NULL)
		return -ENOMEM;
	return event_add(s->mail_event, NULL) < 0 ? -ENOMEM : 0;
}

static void loop_fini(struct shard *s)
{
	if (s->ring_event != NULL)
		event_free(s->ring_event);
	if (s->timer_event != NULL)
		event_free(s->timer_event);
	if (s->mail_event != NULL)
		event_free(s->mail_event);
	if (s->base != NULL)
		event_base_free(s->base);
}

/* --- dialogs of other shards --- */

static void do_answered(void *owner, void *arg)
{
	replaces_answered(((struct shard *)owner)->b2bua, arg);
	free(arg);
}

static void do_answer(void *owner, void *arg)
{
	struct shard *s = owner;
	struct replaces *q = arg;

	replaces_answer(s->b2bua, q);
	/* Once this one is stopping, the other may be gone. */
	if (s->stop || shard_post(s->env.all[q->shard], do_answered, q) < 0)
		free(q);
}

static int shard_ask(void *ctx, unsigned int shard, struct replaces *q)
{
	struct shard *s = ctx;

	return s->stop ? -ESHUTDOWN : shard_post(s->env.all[shard], do_answer, q);
}

static int calls_init(struct shard *s)
{
	const struct config *c = s->env.config;
	const struct media_env media_env = {
		.config = c,
		.shard = s->env.index,
		.shards = c->ops.shards,
		.send = shard_command,
		.ctx = s,
	};
	struct b2bua_env env = {
		.config = c,
		.timers = &s->timers,
		.shard = s->env.index,
		.shards = c->ops.shards,
		.limits = s->env.limits,
		.keys = s->env.keys,
		.send = shard_send,
		.send_ctx = s,
		.cdr = cdr_batch_add,
		.cdr_ctx = &s->records,
	};

	const struct reputation_env reputation_env = {
		.config = c,
		.table = s->env.reputation,
		.index = s->env.index,
		.shards = c->ops.shards,
		.send = shard_command,
		.ctx = s,
	};

	timers_init(&s->timers, shard_clock_ms());
	if (s->env.all != NULL) {
		env.ask = shard_ask;
		env.ask_ctx = s;
	}
	env.reputation = s->reputation = reputation_new(&reputation_env);
	env.overload = s->overload = overload_new(c, c->ops.shards, s->timers.now_ms);
	env.peer_overload = s->peer_overload = peer_overload_new(c, c->ops.shards);
	if (s->reputation == NULL || s->overload == NULL || s->peer_overload == NULL)
		return -ENOMEM;
	s->media = media_new(&media_env);
	if (s->media == NULL)
		return -ENOMEM;
	env.media = s->media;
	s->b2bua = b2bua_new(&env);
	return s->b2bua != NULL ? 0 : -ENOMEM;
}

void shard_discard(struct shard *s)
{
	mailbox_fini(&s->mailbox);
	b2bua_free(s->b2bua);
	cdr_batch_flush(&s->records);
	media_free(s->media);
	reputation_free(s->reputation);
	overload_free(s->overload);
	peer_overload_free(s->peer_overload);
	timers_fini(&s->timers);
	loop_fini(s);
	free(s);
}

int shard_make(const struct shard_env *env, struct shard **out)
{
	struct shard *s = calloc(1, sizeof(*s));
	int rc;

	if (s == NULL)
		return -ENOMEM;
	s->env = *env;
	s->records.file = env->cdr;
	rc = mailbox_init(&s->mailbox, s);
	if (rc < 0) {
		free(s);
		return rc;
	}
	rc = loop_init(s);
	if (rc == 0)
		rc = calls_init(s);
	if (rc == 0)
		*out = s;
	else
		shard_discard(s);
	return rc;
}

struct shard *shard_new(const struct shard_env *env)
{
	struct shard *s = NULL;
	int rc = shard_make(env, &s);

	if (rc == 0) {
		rc = -pthread_create(&s->thread, NULL, shard_main, s);
		if (rc == 0)
			return s;
		shard_discard(s);
	}
	log_error("cannot start a shard shard=%u error=\"%s\"", env->index, strerror(-rc));
	return NULL;
}

static void do_stop(void *owner, void *arg)
{
	struct shard *s = owner;

	s->stop = true;
}

void shard_stop(struct shard *s)
{
	while (shard_post(s, do_stop, NULL) < 0)
		sched_yield(); /* out of memory: others are about to free some */
	pthread_join(s->thread, NULL);
	s->stopped = true;
}

void shard_free(struct shard *s)
{
	if (s == NULL)
		return;
	if (!s->stopped)
		shard_stop(s);
	shard_discard(s);
}

int shard_post(struct shard *s, mail_fn fn, void *arg)
{
	return mailbox_post(&s->mailbox, fn, arg);
}

uint64_t shard_calls_active(const struct shard *s)
{
	return atomic_load_explicit(&s->calls_active, memory_order_relaxed);
}

uint64_t shard_requests_open(const struct shard *s)
{
	return atomic_load_explicit(&s->requests_open, memory_order_relaxed);
}

static void do_attach(void *owner, void *arg)
{
	struct shard *s = owner;
	struct attach_session *session = arg;
	struct attach_group *g = &session->shard[s->env.index];

	s->ring_event = event_new(s->base, g->event_fd, EV_READ | EV_PERSIST, on_ring, s);
	if (s->ring_event == NULL || event_add(s->ring_event, NULL) < 0) {
		log_error("cannot watch the rings shard=%u error=\"out of memory\"", s->env.index);
		return;
	}
	s->group = g;
	s->workers = session->workers;
	media_on_attach(s->media);
	reputation_on_attach(s->reputation, s->timers.now_ms);
}

int shard_attach(struct shard *s, struct attach_session *session)
{
	return shard_post(s, do_attach, session);
}

struct detach_mail {
	struct mailbox *reply;
	mail_fn done;
	void *arg;
};

static void do_detach(void *owner, void *arg)
{
	struct detach_mail *mail = arg;
	struct shard *s = owner;

	s->group = NULL;
	s->workers = 0;
	media_on_detach(s->media);
	if (s->ring_event != NULL)
		event_free(s->ring_event);
	s->ring_event = NULL;
	if (mailbox_post(mail->reply, mail->done, mail->arg) < 0)
		log_error("cannot report a detach shard=%u error=\"out of memory\"", s->env.index);
	free(mail);
}

int shard_detach(struct shard *s, struct mailbox *reply, mail_fn done, void *arg)
{
	struct detach_mail *mail = malloc(sizeof(*mail));
	int rc;

	if (mail == NULL)
		return -ENOMEM;
	*mail = (struct detach_mail){.reply = reply, .done = done, .arg = arg};
	rc = shard_post(s, do_detach, mail);
	if (rc < 0)
		free(mail);
	return rc;
}

static void do_media_event(void *owner, void *arg)
{
	struct record_hdr *rec = arg;
	struct shard *s = owner;

	if (media_on_event(s->media, rec, rec->len) < 0)
		s->counts.records_malformed++;
	free(rec);
}

int shard_media_event(struct shard *s, const struct record_hdr *rec, size_t len)
{
	struct record_hdr *copy = malloc(len);
	int rc;

	if (copy == NULL)
		return -ENOMEM;
	memcpy(copy, rec, len);
	copy->len = (uint32_t)len;
	rc = shard_post(s, do_media_event, copy);
	if (rc < 0)
		free(copy);
	return rc;
}

struct forget_mail {
	struct net_endpoint source;
	uint16_t realm;
};

static void do_forget_source(void *owner, void *arg)
{
	struct forget_mail *mail = arg;

	reputation_forget(((struct shard *)owner)->reputation, mail->realm, &mail->source);
	free(mail);
}

int shard_forget_source(struct shard *s, uint16_t realm, const struct net_endpoint *source)
{
	struct forget_mail *mail = malloc(sizeof(*mail));
	int rc;

	if (mail == NULL)
		return -ENOMEM;
	*mail = (struct forget_mail){.source = *source, .realm = realm};
	rc = shard_post(s, do_forget_source, mail);
	if (rc < 0)
		free(mail);
	return rc;
}

static void do_drain(void *owner, void *arg)
{
	b2bua_drain(((struct shard *)owner)->b2bua);
}

int shard_drain(struct shard *s)
{
	return shard_post(s, do_drain, NULL);
}

static void do_stop_calls(void *owner, void *arg)
{
	b2bua_stop(((struct shard *)owner)->b2bua);
}

int shard_stop_calls(struct shard *s)
{
	return shard_post(s, do_stop_calls, NULL);
}

struct b2bua *shard_b2bua(struct shard *s)
{
	return s->b2bua;
}

const struct config *shard_config(struct shard *s)
{
	return s->env.config;
}

const struct overload *shard_overload(struct shard *s)
{
	return s->overload;
}

struct peer_overload_state shard_peer_overload(struct shard *s, unsigned int peer)
{
	return peer_overload_get(s->peer_overload, s->timers.now_ms, peer);
}

json_t *shard_counters(struct shard *s)
{
	const struct b2bua_stats *b = b2bua_get_stats(s->b2bua);
	const struct txn_stats *t = txn_layer_stats(b2bua_txn_layer(s->b2bua));
	const struct media_stats *m = media_get_stats(s->media);
	const struct reputation_stats *r = reputation_get_stats(s->reputation);
	const struct overload_stats *o = overload_get_stats(s->overload);
	const struct shard_counts *c = &s->counts;
	const struct {
		const char *name;
		uint64_t value;
	} all[] = {
		{"calls_active", b->calls_active},
		{"calls_answered_active", b->calls_answered_active},
		{"calls_total", b->calls_total},
		{"calls_answered", b->calls_answered},
		{"calls_failed", b->calls_failed},
		{"calls_refused", b->calls_refused},
		{"forks_ignored", b->forks_ignored},
		{"dialogs", b->dialogs},
		{"subscriptions", b->subscriptions},
		{"requests_passed", b->requests_passed},
		{"requests_open", b->requests_open},
		{"transactions_server", t->servers},
		{"transactions_client", t->clients},
		{"transactions_requests_in", t->requests_in},
		{"transactions_responses_in", t->responses_in},
		{"transactions_requests_out", t->requests_out},
		{"transactions_responses_out", t->responses_out},
		{"transactions_retransmits_in", t->retransmits_in},
		{"transactions_retransmits_out", t->retransmits_out},
		{"transactions_timeouts", t->timeouts},
		{"transactions_refused", t->refused},
		{"transactions_ignored", t->ignored},
		{"transactions_send_errors", t->send_errors},
		{"transactions_answers_reduced", t->answers_reduced},
		{"transactions_answers_withheld", t->answers_withheld},
		{"media_sessions", m->sessions},
		{"media_streams", m->streams},
		{"media_ports_used", m->ports_used},
		{"media_ports_exhausted", m->ports_exhausted},
		{"media_commands_failed", m->commands_failed},
		{"sources_trusted", r->trusted},
		{"sources_demoted", r->demoted},
		{"sources_denied", r->denied},
		{"sources_unsent", r->unsent},
		{"sources_evicted", r->evicted},
		{"sources_refused", c->source_commands_failed},
		{"overload_refused_delay", o->refused_delay},
		{"overload_refused_rate", o->refused_rate},
		{"overload_refused_again", o->refused_again},
		{"overload_emergency", o->emergency},
		{"overload_waits_over", o->waits_over},
		{"shard_messages_in", c->messages_in},
		{"shard_messages_out", c->messages_out},
		{"shard_messages_lost", c->messages_lost},
		{"shard_messages_too_long", c->messages_too_long},
		{"shard_records_malformed", c->records_malformed},
		{"shard_events_in", c->events_in},
		{"shard_commands_out", c->commands_out},
		{"shard_turns", c->turns},
	};
	json_t *flat = json_object();

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		json_object_set_new(flat, all[i].name, json_integer((json_int_t)all[i].value));
	for (unsigned int e = SIP_SCAN_NONE + 1; e < SIP_SCAN_COUNT; e++) {
		char name[64];

		snprintf(name, sizeof(name), "shard_sip_error_%s", sip_scan_error_name(e));
		json_object_set_new(flat, name, json_integer((json_int_t)c->sip_errors[e]));
	}
	return flat;
}
