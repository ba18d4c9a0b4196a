/* SipHash-2-4-128 as a stream, and the fields fed into it. */
#include <errno.h>
#include <openssl/rand.h>

#include "siphash.h"
#include "txn_key.h"

struct sip_hash {
	uint64_t v[4];
	uint64_t word; /* bytes that do not fill a word yet */
	uint64_t len;
};

static void hash_init(struct sip_hash *h, const struct txn_secret *s)
{
	*h = (struct sip_hash){0};
	siphash_init(h->v, s->k);
	h->v[1] ^= 0xee;
}

static void hash_byte(struct sip_hash *h, uint8_t byte)
{
	h->word |= (uint64_t)byte << (8 * (h->len & 7));
	if ((++h->len & 7) == 0) {
		siphash_word(h->v, h->word, 2);
		h->word = 0;
	}
}

static void hash_number(struct sip_hash *h, uint32_t number)
{
	for (unsigned int i = 0; i < 4; i++)
		hash_byte(h, (uint8_t)(number >> (8 * i)));
}

/** The length goes first, so that fields cannot run into each other. */
static void hash_text(struct sip_hash *h, struct str_view text)
{
	hash_number(h, (uint32_t)text.len);
	for (size_t i = 0; i < text.len; i++)
		hash_byte(h, (uint8_t)text.p[i]);
}

/** For what compares without case (section 7.3.1: tokens, host names). */
static void hash_text_nocase(struct sip_hash *h, struct str_view text)
{
	hash_number(h, (uint32_t)text.len);
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = (uint8_t)text.p[i];

		hash_byte(h, c >= 'A' && c <= 'Z' ? c | 0x20 : c);
	}
}

static void hash_finish(struct sip_hash *h, struct txn_key *out)
{
	siphash_word(h->v, h->word | (h->len << 56), 2);
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

/* First byte of what is hashed: one kind of key is never taken for another. */
enum key_kind { KEY_SERVER, KEY_SERVER_2543, KEY_MERGE, KEY_CLIENT, KEY_SOURCE };

static void key_init(
	struct sip_hash *h, const struct txn_secret *s, enum key_kind kind, const struct sip_msg *m)
{
	hash_init(h, s);
	hash_byte(h, (uint8_t)kind);
	hash_number(h, m->path.realm);
}

static bool top_via(const struct sip_msg *m, struct str_view *item, struct sip_via *via)
{
	struct str_view line = sip_msg_header(m, SIP_HDR_VIA, 0);

	return line.p != NULL && sip_list_next(&line, item) && sip_via_parse(*item, via) == 0;
}

int txn_key_server(const struct txn_secret *s, const struct sip_msg *req, struct str_view method,
	struct txn_key *out)
{
	struct str_view item;
	struct sip_hash h;
	struct sip_via via;

	if (!top_via(req, &item, &via))
		return -EBADMSG;
	if (txn_branch_is_unique(via.branch)) {
		key_init(&h, s, KEY_SERVER, req);
		hash_text_nocase(&h, via.branch);
		hash_text_nocase(&h, via.host);
		hash_number(&h, via.port != 0 ? via.port : 5060);
		hash_text(&h, method);
	} else {
		key_init(&h, s, KEY_SERVER_2543, req);
		hash_text(&h, sip_msg_view(req, req->idx.uri));
		hash_text(&h, sip_msg_view(req, req->idx.call_id));
		hash_text(&h, sip_msg_view(req, req->idx.from_tag));
		hash_number(&h, req->idx.cseq);
		hash_text(&h, item);
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
	struct sip_cseq cseq;
	struct str_view item;
	struct sip_hash h;
	struct sip_via via;

	if (!top_via(msg, &item, &via) || via.branch.len == 0 ||
		sip_cseq_parse(sip_msg_header(msg, SIP_HDR_CSEQ, 0), &cseq) != 0)
		return -EBADMSG;
	key_init(&h, s, KEY_CLIENT, msg);
	hash_text_nocase(&h, via.branch);
	hash_text(&h, cseq.method);
	hash_finish(&h, out);
	return 0;
}
