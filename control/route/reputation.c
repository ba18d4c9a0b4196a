/* What control makes of the behaviour of sources: counting, judging, telling the fast path. */
#include "reputation.h"

#include <pthread.h>

#include "route.h"
#include "siphash.h"

#define WAYS 8 /* places that a source may have in the table */
#define SETS (REPUTATION_ENTRIES / WAYS)

/* The users seen in a window: one bit each by a keyed hash. At the few that matter collisions are
 * rare (linear counting at less than a tenth full), and they only make the count smaller. */
#define USER_WORDS 4

struct entry {
	struct net_endpoint source; /* port 0: the address */
	uint16_t realm;
	bool used;
	uint8_t denials;			      /* that were proven, in a row */
	uint8_t reason;				      /* of the state */
	uint32_t requests, failures, malformed, auth; /* in this window */
	uint32_t proven;			      /* of failures */
	uint64_t window_ms;			      /* its begin */
	uint64_t last_ms;			      /* of anything */
	uint64_t success_ms;			      /* of a call, a registration; 0: none */
	uint64_t trusted_until_ms, denied_until_ms;   /* as told to the fast path */
	uint64_t users[USER_WORDS];
	uint64_t ports; /* of an address, likewise */
};

/* A nonce that was sent lately, and to whom: hashes. One that has given way to later ones proves
 * nothing; to be taken for new it had to be sent again, after some 16384 others (a set is chosen by
 * a secret key) in the one second that its registrar makes it. */
struct nonce {
	uint64_t hash;
	uint64_t source; /* 0: to several, or unused */
};

/* A source is in one set, and so is a nonce. Nobody waits in there for anything: no system call, no
 * log. */
struct set {
	pthread_mutex_t lock;
	struct entry way[WAYS];
	struct nonce nonce[WAYS]; /* the latest; a ring */
	unsigned int next_nonce;
};

struct reputation_table {
	uint64_t key[2];
	struct set set[SETS];
};

struct reputation {
	struct reputation_env env;
	struct reputation_stats stats;
	struct rec_source_event said; /* to be logged when no lock is held */
	bool is_said;
};

struct reputation_table *reputation_table_new(const uint64_t key[2])
{
	struct reputation_table *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	memcpy(t->key, key, sizeof(t->key));
	for (unsigned int i = 0; i < SETS; i++)
		pthread_mutex_init(&t->set[i].lock, NULL);
	return t;
}

void reputation_table_free(struct reputation_table *t)
{
	if (t == NULL)
		return;
	for (unsigned int i = 0; i < SETS; i++)
		pthread_mutex_destroy(&t->set[i].lock);
	free(t);
}

struct reputation *reputation_new(const struct reputation_env *env)
{
	struct reputation *r = calloc(1, sizeof(*r));

	if (r != NULL)
		r->env = *env;
	return r;
}

void reputation_free(struct reputation *r)
{
	free(r);
}

const struct reputation_stats *reputation_get_stats(const struct reputation *r)
{
	return &r->stats;
}

/* First of what is hashed, so that one kind is never taken for another. */
enum hash_kind { HASH_SOURCE, HASH_USER, HASH_PORT, HASH_NONCE };

static uint64_t hash(const struct reputation *r, enum hash_kind kind, uint16_t realm,
	const void *data, size_t len)
{
	uint64_t v[4], word;
	size_t at, n;

	siphash_init(v, r->env.table->key);
	siphash_word(v, (uint64_t)kind << 56 | (uint64_t)realm << 40 | len, 2);
	for (at = 0; at < len; at += n) {
		n = len - at < sizeof(word) ? len - at : sizeof(word);
		word = 0;
		memcpy(&word, (const char *)data + at, n);
		siphash_word(v, word, 2);
	}
	v[2] ^= 0xff;
	siphash_rounds(v, 4);
	return siphash_fold(v);
}

/* --- the table --- */

static struct set *set_of(struct reputation *r, uint64_t h)
{
	return &r->env.table->set[h % SETS];
}

/* Shards read the clock at different times: what another one has just written may be ahead. */
static uint64_t since_ms(uint64_t then_ms, uint64_t now_ms)
{
	return now_ms > then_ms ? now_ms - then_ms : 0;
}

static bool made_a_call(const struct entry *e, uint64_t now_ms)
{
	return e->success_ms != 0 && since_ms(e->success_ms, now_ms) < REPUTATION_FORGIVE_MS;
}

/* A call protects its address too, which is never trusted: forged sources must not wash it out. */
static bool is_held(const struct entry *e, uint64_t now_ms)
{
	return e->trusted_until_ms > now_ms || e->denied_until_ms > now_ms ||
	       made_a_call(e, now_ms);
}

/* The one to give up: free, else the longest unheard of that holds nothing, else of all. */
static bool is_older(const struct entry *a, const struct entry *b, uint64_t now_ms)
{
	if (a->used != b->used)
		return !a->used;
	if (is_held(a, now_ms) != is_held(b, now_ms))
		return !is_held(a, now_ms);
	return a->last_ms < b->last_ms;
}

/* The set is locked. */
static struct entry *entry_get(struct reputation *r, struct set *set, uint64_t now_ms,
	uint16_t realm, const struct net_endpoint *source)
{
	struct entry *e = set->way, *old = e;

	for (unsigned int i = 0; i < WAYS; i++) {
		if (e[i].used && e[i].realm == realm && net_endpoint_eq(&e[i].source, source)) {
			e[i].last_ms = now_ms;
			return &e[i];
		}
		if (is_older(&e[i], old, now_ms))
			old = &e[i];
	}
	r->stats.evicted += old->used && since_ms(old->last_ms, now_ms) < REPUTATION_WINDOW_MS;
	*old = (struct entry){
		.used = true,
		.source = *source,
		.realm = realm,
		.window_ms = now_ms,
		.last_ms = now_ms,
	};
	return old;
}

static void window_clear(struct entry *e, uint64_t now_ms)
{
	e->window_ms = now_ms;
	e->requests = e->failures = e->malformed = e->auth = e->proven = 0;
	memset(e->users, 0, sizeof(e->users));
	e->ports = 0;
}

static unsigned int users_seen(const struct entry *e)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < USER_WORDS; i++)
		n += (unsigned int)__builtin_popcountll(e->users[i]);
	return n;
}

/* --- telling the fast path --- */

static bool is_listed(const struct reputation *r, const struct entry *e)
{
	const struct config_realm *realm = &r->env.config->realms[e->realm];

	if (route_peer_find(r->env.config, e->realm, &e->source) != ROUTE_PEER_NONE)
		return true;
	for (unsigned int i = 0; i < realm->n_permit; i++)
		if (net_addr_in_prefix(
			    &e->source.addr, &realm->permit[i].addr, realm->permit[i].len))
			return true;
	return false;
}

/* @return false when it could not be said. */
static bool tell(struct reputation *r, const struct entry *e, enum source_class class,
	enum source_reason reason, uint64_t seconds)
{
	struct rec_source_set rec = {
		.cmd.hdr.type = REC_SOURCE_SET,
		.source = e->source,
		.realm = e->realm,
		.source_class = (uint8_t) class,
		.reason = (uint8_t)reason,
		.seconds = (uint32_t)seconds,
	};

	if (r->env.send(r->env.ctx, &rec.cmd, sizeof(rec)) == 0)
		return true;
	r->stats.unsent++;
	return false;
}

static void say(
	struct reputation *r, const struct entry *e, enum source_class class, uint64_t seconds)
{
	r->said = (struct rec_source_event){
		.source = e->source,
		.realm = e->realm,
		.source_class = (uint8_t) class,
		.reason = e->reason,
		.seconds = (uint32_t)seconds,
	};
	r->is_said = true;
}

/* No set is locked. */
static void log_said(struct reputation *r)
{
	static struct log_limit limit;

	if (r->is_said)
		source_log_put(&limit, r->env.config, "control", &r->said);
	r->is_said = false;
}

/* Success. Said again only when half of the time is over. */
static void promote(
	struct reputation *r, struct entry *e, uint64_t now_ms, enum source_reason reason)
{
	const struct config_realm *realm = &r->env.config->realms[e->realm];
	uint64_t for_ms = (uint64_t)realm->trusted_s * 1000;

	if (for_ms == 0 || realm->trust == TRUST_TRUSTED || e->denied_until_ms > now_ms ||
		e->trusted_until_ms > now_ms + for_ms / 2 || is_listed(r, e))
		return;
	if (!tell(r, e, SOURCE_TRUSTED, reason, realm->trusted_s))
		return;
	e->trusted_until_ms = now_ms + for_ms;
	e->reason = (uint8_t)reason;
	r->stats.trusted++;
}

static void demote(
	struct reputation *r, struct entry *e, uint64_t now_ms, enum source_reason reason)
{
	if (!tell(r, e, SOURCE_UNTRUSTED, reason, 1))
		return;
	e->trusted_until_ms = 0;
	e->reason = (uint8_t)reason;
	r->stats.demoted++;
	say(r, e, SOURCE_UNTRUSTED, 0);
	window_clear(e, now_ms);
}

/* Twice as long each time, up to a day. */
static uint64_t deny_seconds(const struct reputation *r, const struct entry *e)
{
	uint64_t first = r->env.config->realms[e->realm].police.deny_s, s = first;

	for (unsigned int i = 0; i < e->denials && s < REPUTATION_DENY_MAX_S; i++)
		s *= 2;
	if (s > REPUTATION_DENY_MAX_S)
		s = REPUTATION_DENY_MAX_S;
	return s > first ? s : first;
}

/* @param proven  by its own doing, and not by what others may forge. */
static void deny(struct reputation *r, struct entry *e, uint64_t now_ms, enum source_reason reason,
	bool proven)
{
	uint64_t seconds = r->env.config->realms[e->realm].police.deny_s;

	if (since_ms(e->denied_until_ms, now_ms) > REPUTATION_FORGIVE_MS)
		e->denials = 0;
	if (proven)
		seconds = deny_seconds(r, e);
	if (!tell(r, e, SOURCE_DENIED, reason, seconds))
		return;
	e->denied_until_ms = now_ms + seconds * 1000;
	e->reason = (uint8_t)reason;
	if (proven && e->denials < UINT8_MAX)
		e->denials++;
	r->stats.denied++;
	say(r, e, SOURCE_DENIED, seconds);
	window_clear(e, now_ms);
}

/* --- judging --- */

static uint32_t at_least(uint32_t v, uint32_t min)
{
	return v > min ? v : min;
}

/* @param times  how much more patient than with one source. */
static uint32_t failures_most(const struct realm_police *p, uint32_t times)
{
	return times * at_least(p->deny_after / 50, 10);
}

/* Half of it will do: some proof is still on its way, or was lost. Of wrong credentials there is
 * none: others may have been sent the same nonce. */
static bool is_proven(const struct realm_police *p, const struct entry *e,
	enum source_reason reason, uint32_t times)
{
	return reason == SOURCE_REASON_SCAN && e->proven >= failures_most(p, times) / 2;
}

static enum source_reason judge(const struct realm_police *p, const struct entry *e, uint32_t times)
{
	uint32_t failures = failures_most(p, times);
	uint32_t malformed = times * at_least(p->deny_after / 10, 20);

	if (e->malformed >= malformed)
		return SOURCE_REASON_MALFORMED;
	if (e->auth >= failures)
		return SOURCE_REASON_AUTH;
	if (e->failures >= failures && e->failures >= e->requests - e->requests / 5 &&
		users_seen(e) >= times * REPUTATION_USERS_MIN)
		return SOURCE_REASON_SCAN;
	return SOURCE_REASON_NONE;
}

/* Nothing of a denied source is looked at, not even what its calls need. All that speaks against
 * it may be forged, and a call that it made lately was not: then it only loses its trust, and the
 * fast path's rates hold it. */
static void judge_source(struct reputation *r, struct entry *e, uint64_t now_ms)
{
	const struct realm_police *p = &r->env.config->realms[e->realm].police;
	enum source_reason reason;

	if (p->deny_after == 0 || e->denied_until_ms > now_ms)
		return;
	reason = judge(p, e, 1);
	if (reason == SOURCE_REASON_NONE || is_listed(r, e))
		return;
	if (e->trusted_until_ms > now_ms)
		demote(r, e, now_ms, reason);
	else if (!made_a_call(e, now_ms))
		deny(r, e, now_ms, reason, is_proven(p, e, reason, 1));
}

static void judge_address(struct reputation *r, struct entry *e, uint64_t now_ms)
{
	const struct realm_police *p = &r->env.config->realms[e->realm].police;
	enum source_reason reason;

	if (p->deny_after == 0 || e->denied_until_ms > now_ms ||
		__builtin_popcountll(e->ports) < REPUTATION_PORTS_MIN || made_a_call(e, now_ms))
		return;
	reason = judge(p, e, 2);
	if (reason != SOURCE_REASON_NONE && !is_listed(r, e))
		deny(r, e, now_ms, reason, is_proven(p, e, reason, 2));
}

/* No answer of its own, which is an event itself. */
static bool is_beside(enum reputation_event event)
{
	return event == REPUTATION_IN_CALL || event == REPUTATION_PROVEN ||
	       event == REPUTATION_AUTH || event == REPUTATION_REGISTERED;
}

static void count(const struct reputation *r, struct entry *e, uint64_t now_ms,
	enum reputation_event event, struct str_view user, uint16_t port)
{
	bool bad = event == REPUTATION_FAILURE || event == REPUTATION_PROBE;

	if (since_ms(e->window_ms, now_ms) >= REPUTATION_WINDOW_MS)
		window_clear(e, now_ms);
	e->requests += !is_beside(event);
	e->failures += bad;
	e->malformed += event == REPUTATION_MALFORMED;
	e->auth += event == REPUTATION_AUTH;
	e->proven += event == REPUTATION_PROVEN;
	if (bad && user.len > 0) {
		uint64_t h = hash(r, HASH_USER, 0, user.p, user.len);

		e->users[h / 64 % USER_WORDS] |= 1ull << (h % 64);
	}
	if (bad || event == REPUTATION_MALFORMED || event == REPUTATION_AUTH)
		e->ports |= 1ull << (hash(r, HASH_PORT, 0, &port, sizeof(port)) % 64);
	if (event == REPUTATION_CALL || event == REPUTATION_REGISTERED ||
		event == REPUTATION_IN_CALL)
		e->success_ms = now_ms;
}

static void act(struct reputation *r, struct entry *e, uint64_t now_ms, enum reputation_event event)
{
	if (e->source.port == 0)
		judge_address(r, e, now_ms);
	else if (event == REPUTATION_CALL)
		promote(r, e, now_ms, SOURCE_REASON_CALL);
	else if (event == REPUTATION_REGISTERED)
		promote(r, e, now_ms, SOURCE_REASON_REGISTERED);
	else if (event == REPUTATION_IN_CALL && e->trusted_until_ms > now_ms)
		promote(r, e, now_ms, SOURCE_REASON_CALL); /* what it lost it has lost */
	else
		judge_source(r, e, now_ms);
}

static uint64_t source_hash(
	const struct reputation *r, uint16_t realm, const struct net_endpoint *level)
{
	return hash(r, HASH_SOURCE, realm, level, sizeof(*level));
}

/* One level of a source: its address and port, or (port 0) its address. */
static void note_level(struct reputation *r, uint64_t now_ms, uint16_t realm,
	const struct net_endpoint *level, uint16_t port, enum reputation_event event,
	struct str_view user)
{
	struct set *set = set_of(r, source_hash(r, realm, level));
	struct entry *e;

	pthread_mutex_lock(&set->lock);
	e = entry_get(r, set, now_ms, realm, level);
	count(r, e, now_ms, event, user, port);
	act(r, e, now_ms, event);
	pthread_mutex_unlock(&set->lock);
	log_said(r);
}

/* --- nonces --- */

/* Its set is locked. */
static struct nonce *nonce_find(struct set *set, uint64_t h)
{
	for (unsigned int i = 0; i < WAYS; i++)
		if (set->nonce[i].hash == h)
			return &set->nonce[i];
	return NULL;
}

static void nonce_sent(struct reputation *r, struct str_view text, uint64_t source)
{
	uint64_t h = hash(r, HASH_NONCE, 0, text.p, text.len);
	struct set *set = set_of(r, h);
	struct nonce *n;

	if (text.len == 0)
		return;
	pthread_mutex_lock(&set->lock);
	n = nonce_find(set, h);
	if (n == NULL)
		set->nonce[set->next_nonce++ % WAYS] = (struct nonce){h, source};
	else if (n->source != source)
		n->source = 0;
	pthread_mutex_unlock(&set->lock);
}

/* Was this source sent it, and nobody else? */
static bool nonce_is_own(struct reputation *r, struct str_view text, uint64_t source)
{
	uint64_t h = hash(r, HASH_NONCE, 0, text.p, text.len);
	struct set *set = set_of(r, h);
	const struct nonce *n;
	bool own;

	pthread_mutex_lock(&set->lock);
	n = nonce_find(set, h);
	own = text.len > 0 && n != NULL && n->source == source;
	pthread_mutex_unlock(&set->lock);
	return own;
}

void reputation_note(struct reputation *r, uint64_t now_ms, uint16_t realm,
	const struct net_endpoint *source, enum reputation_event event, struct str_view about)
{
	const struct net_endpoint own = {.addr = source->addr, .port = source->port};
	const struct net_endpoint address = {.addr = source->addr};

	if (realm >= r->env.config->n_realms)
		return;
	if (event == REPUTATION_CHALLENGE) {
		nonce_sent(r, about, source_hash(r, realm, &own));
		return;
	}
	if (event == REPUTATION_REGISTERED && !nonce_is_own(r, about, source_hash(r, realm, &own)))
		return;
	note_level(r, now_ms, realm, &own, source->port, event, about);
	/* The keep-alives of all phones behind a NAT, each for its own user, are no scan. */
	if (event == REPUTATION_PROBE)
		event = REPUTATION_NEUTRAL;
	note_level(r, now_ms, realm, &address, source->port, event, about);
}

uint64_t reputation_in_call_ms(const struct reputation *r, uint16_t realm)
{
	uint64_t ms = (uint64_t)r->env.config->realms[realm].trusted_s * 1000 / 2;

	if (ms > REPUTATION_IN_CALL_MS)
		return REPUTATION_IN_CALL_MS;
	return ms > REPUTATION_IN_CALL_MIN_MS ? ms : REPUTATION_IN_CALL_MIN_MS;
}

static bool is_meant(const struct entry *e, uint16_t realm, const struct net_endpoint *source)
{
	return e->used && (realm == API_REALM_ANY || e->realm == realm) &&
	       net_addr_eq(&e->source.addr, &source->addr) &&
	       (source->port == 0 || e->source.port == source->port);
}

/* @return commands that were put. */
static unsigned int forget_in(struct reputation *r, struct set *set, uint16_t realm,
	const struct net_endpoint *source, unsigned int most)
{
	unsigned int n = 0;

	pthread_mutex_lock(&set->lock);
	for (struct entry *e = set->way; e < set->way + WAYS; e++) {
		if (!is_meant(e, realm, source))
			continue;
		/* The command was for the address; what was said of its ports stands by itself. */
		if (source->port != e->source.port && n < most &&
			(e->trusted_until_ms != 0 || e->denied_until_ms != 0))
			n += tell(r, e, SOURCE_UNTRUSTED, SOURCE_REASON_OPERATOR, 1);
		*e = (struct entry){0};
	}
	pthread_mutex_unlock(&set->lock);
	return n;
}

void reputation_forget(struct reputation *r, uint16_t realm, const struct net_endpoint *source)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < SETS; i++)
		n += forget_in(r, &r->env.table->set[i], realm, source, REPUTATION_RETELL_MAX - n);
}

/* @param left  commands that may be put. @return false when no more can be. */
static bool retell(struct reputation *r, struct set *set, uint64_t now_ms, unsigned int *left)
{
	bool done = true;

	pthread_mutex_lock(&set->lock);
	for (const struct entry *e = set->way; e < set->way + WAYS && done; e++) {
		bool denied = e->denied_until_ms > now_ms;
		uint64_t until = denied ? e->denied_until_ms : e->trusted_until_ms;

		if (!e->used || until <= now_ms)
			continue;
		done = *left > 0 && tell(r, e, denied ? SOURCE_DENIED : SOURCE_TRUSTED, e->reason,
					    (until - now_ms + 999) / 1000);
		*left -= done;
	}
	pthread_mutex_unlock(&set->lock);
	return done;
}

void reputation_on_attach(struct reputation *r, uint64_t now_ms)
{
	unsigned int left = REPUTATION_RETELL_MAX;

	for (unsigned int i = r->env.index; i < SETS; i += r->env.shards)
		if (!retell(r, &r->env.table->set[i], now_ms, &left))
			return;
}
