/* SipHash-2-4-128 over fields, each of whole words: what hashes fast need not hash bytes. */
#include <errno.h>
#include <openssl/rand.h>

#include "siphash.h"
#include "txn_key.h"

struct sip_hash {
	uint64_t v[4];
};

static void hash_init(struct sip_hash *h, const struct txn_secret *s)
{
	siphash_init(h->v, s->k);
	h->v[1] ^= 0xee;
}

static void hash_number(struct sip_hash *h, uint64_t number)
{
	siphash_word(h->v, number, 2);
}

/* The next word of a text. Two that differ are different, given their length. */
static uint64_t word_take(struct str_view *text)
{
	size_t n = text->len < sizeof(uint64_t) ? text->len : sizeof(uint64_t);
	uint64_t word = sv_load8(text->p, n);

	text->p += n;
	text->len -= n;
	return word;
}

/** The length goes first, so that fields cannot run into each other. */
static void hash_text(struct sip_hash *h, struct str_view text)
{
	hash_number(h, text.len);
	while (text.len > 0)
		hash_number(h, word_take(&text));
}

#define EACH_BYTE(b) (0x0101010101010101 * (uint64_t)(b))

/* Eight bytes with 'A' to 'Z' in lower case: in seven bits, adding carries those from 'A' on, and
 * those beyond 'Z', into the eighth. */
static uint64_t word_lower(uint64_t word)
{
	uint64_t low = word & EACH_BYTE(0x7f);
	uint64_t from_a = low + EACH_BYTE(0x80 - 'A'), beyond_z = low + EACH_BYTE(0x7f - 'Z');
	uint64_t upper = from_a & ~beyond_z & ~word & EACH_BYTE(0x80);

	return word | upper >> 2;
}

/** For what compares without case (section 7.3.1: tokens, host names). */
static void hash_text_nocase(struct sip_hash *h, struct str_view text)
{
	hash_number(h, text.len);
	while (text.len > 0)
		hash_number(h, word_lower(word_take(&text)));
}

static void hash_finish(struct sip_hash *h, struct txn_key *out)
{
	h->v[2] ^= 0xee;
	siphash_rounds(h->v, 4);
	out->h[0] = siphash_fold(h->v);
	h->v[1] ^= 0xdd;
	siphash_rounds(h->v, 4);
	out->h[1] = siphash_fold(h->v);
}

int txn_secret_init(struct txn_secret *s)
{
	return RAND_bytes((unsigned char *)s, sizeof(*s)) == 1 ? 0 : -EIO;
}

bool txn_branch_is_unique(struct str_view branch)
{
	static const struct str_view cookie = {"z9hG4bK", 7};

	return branch.len > cookie.len &&
	       sv_eq_nocase((struct str_view){branch.p, cookie.len}, cookie);
}

/* First of what is hashed: one kind of key, hence one list of fields, is never taken for another.
 */
enum key_kind { KEY_SERVER, KEY_SERVER_2543, KEY_MERGE, KEY_CLIENT, KEY_SOURCE };

static void key_init(
	struct sip_hash *h, const struct txn_secret *s, enum key_kind kind, const struct sip_msg *m)
{
	hash_init(h, s);
	hash_number(h, (uint64_t)kind << 32 | m->path.realm);
}

int txn_key_server(const struct txn_secret *s, const struct sip_msg *req, struct str_view method,
	struct txn_key *out)
{
	const struct sip_top_via *top = sip_msg_top_via(req);
	struct sip_hash h;

	if (top == NULL)
		return -EBADMSG;
	if (txn_branch_is_unique(top->via.branch)) {
		key_init(&h, s, KEY_SERVER, req);
		hash_text_nocase(&h, top->via.branch);
		hash_text_nocase(&h, top->via.host);
		hash_number(&h, top->via.port != 0 ? top->via.port : 5060);
		hash_text(&h, method);
	} else {
		key_init(&h, s, KEY_SERVER_2543, req);
		hash_text(&h, sip_msg_view(req, req->idx.uri));
		hash_text(&h, sip_msg_view(req, req->idx.call_id));
		hash_text(&h, sip_msg_view(req, req->idx.from_tag));
		hash_number(&h, req->idx.cseq);
		hash_text(&h, top->item);
		hash_text(&h, method);
		/* The To tag of an ACK is that of our answer, not that of the INVITE. */
		if (!sv_eq(method, SV("INVITE")))
			hash_text(&h, sip_msg_view(req, req->idx.to_tag));
	}
	hash_finish(&h, out);
	return 0;
}

void txn_key_merge(const struct txn_secret *s, const struct sip_msg *req, struct txn_key *out)
{
	struct sip_hash h;

	key_init(&h, s, KEY_MERGE, req);
	hash_text(&h, sip_msg_view(req, req->idx.call_id));
	hash_text(&h, sip_msg_view(req, req->idx.from_tag));
	hash_number(&h, req->idx.cseq);
	hash_text(&h, sip_msg_view(req, req->idx.method_text));
	hash_finish(&h, out);
}

uint64_t txn_key_source(const struct txn_secret *s, const struct sip_msg *m)
{
	const struct net_endpoint *source = &m->path.remote;
	struct sip_hash h;
	struct txn_key key;

	key_init(&h, s, KEY_SOURCE, m);
	hash_text(&h, (struct str_view){(const char *)&source->addr, sizeof(source->addr)});
	hash_number(&h, source->port);
	hash_finish(&h, &key);
	return key.h[0];
}

int txn_key_client(const struct txn_secret *s, const struct sip_msg *msg, struct txn_key *out)
{
	struct str_view branch = sip_msg_view(msg, msg->idx.branch);
	struct str_view method = sip_msg_view(msg, msg->idx.method_text);
	struct sip_hash h;

	if (branch.len == 0 || method.len == 0)
		return -EBADMSG;
	key_init(&h, s, KEY_CLIENT, msg);
	hash_text_nocase(&h, branch);
	hash_text(&h, method);
	hash_finish(&h, out);
	return 0;
}
