/* The bounded message writer, and random tokens. */
#include <errno.h>
#include <stdarg.h>

#include "decimal.h"
#include "random.h"
#include "sip_build.h"
#include "text_format.h"

void sip_writer_init(struct sip_writer *w, char *buf, size_t cap)
{
	*w = (struct sip_writer){.buf = buf, .cap = cap};
}

static bool is_break(char c)
{
	return c == '\r' || c == '\n' || c == '\0';
}

/** True if p[i] is the NUL of a quoted pair. */
static bool is_nul_pair(const char *p, size_t i)
{
	return p[i] == '\0' && i > 0 && p[i - 1] == '\\';
}

/** Is one of these eight bytes below 14? (Bit Twiddling Hacks, "a byte less than n".) */
static bool has_control(uint64_t word)
{
	return ((word - 0x0e0e0e0e0e0e0e0e) & ~word & 0x8080808080808080) != 0;
}

/** Bytes before the first that could end a line or a C string. */
static size_t plain_len(const char *p, size_t len)
{
	size_t n = 0;
	uint64_t word;

	/* Values are long, and hardly any has a break. */
	for (; n + sizeof(word) <= len; n += sizeof(word)) {
		memcpy(&word, p + n, sizeof(word));
		if (has_control(word))
			break;
	}
	if (n > 0 && n < len && len - n < sizeof(word)) {
		memcpy(&word, p + len - sizeof(word), sizeof(word));
		if (!has_control(word))
			return len;
	}
	while (n < len && !is_break(p[n]))
		n++;
	return n;
}

void sip_write_fmt(struct sip_writer *w, const char *fmt, ...)
{
	size_t room = w->cap - w->len;
	size_t text;
	va_list ap;
	int n;

	if (w->failed)
		return;
	va_start(ap, fmt);
	/* It wants one byte for its NUL: a message never fills the last byte this way. */
	n = text_vformat(w->buf + w->len, room, fmt, ap);
	va_end(ap);
	if (n < 0) {
		w->failed = true;
		return;
	}
	text = (size_t)n;
	if (text >= 2 && memcmp(w->buf + w->len + text - 2, "\r\n", 2) == 0)
		text -= 2;
	if (plain_len(w->buf + w->len, text) < text) {
		w->failed = w->bad_value = true;
		return;
	}
	w->len += (size_t)n;
}

void sip_write_text(struct sip_writer *w, const char *text)
{
	struct str_view v = {text, strlen(text)};

	if (plain_len(v.p, v.len) < v.len)
		w->failed = w->bad_value = true;
	else
		sip_write_raw(w, v);
}

void sip_write_uint(struct sip_writer *w, uint64_t number)
{
	char digits[DECIMAL_MAX];

	if (!w->failed && w->cap - w->len >= DECIMAL_MAX)
		w->len += decimal_write(w->buf + w->len, number);
	else
		sip_write_raw(w, (struct str_view){digits, decimal_write(digits, number)});
}

static bool is_wsp(char c)
{
	return c == ' ' || c == '\t';
}

/** Length of a line break at p[0..len) that folds (white space follows), or 0. */
static size_t fold_len(const char *p, size_t len)
{
	size_t n = 0;

	if (n < len && p[n] == '\r')
		n++;
	if (n >= len || p[n] != '\n')
		return 0;
	n++;
	return n < len && is_wsp(p[n]) ? n : 0;
}

void sip_write_value(struct sip_writer *w, struct str_view value)
{
	const char *p = value.p;
	size_t left = value.len;

	while (left > 0 && !w->failed) {
		size_t n = plain_len(p, left), fold;

		while (n < left && w->nul_pair && is_nul_pair(p, n))
			n += 1 + plain_len(p + n + 1, left - n - 1);
		sip_write_raw(w, (struct str_view){p, n});
		p += n;
		left -= n;
		if (left == 0)
			return;
		fold = fold_len(p, left);
		if (fold == 0) {
			w->failed = w->bad_value = true;
			return;
		}
		/* RFC 3261 section 7.3.1: the break and the white space around it are one SP. */
		while (w->len > 0 && is_wsp(w->buf[w->len - 1]))
			w->len--;
		while (left > 0 && (fold = fold_len(p, left)) != 0) {
			p += fold;
			left -= fold;
			while (left > 0 && is_wsp(*p)) {
				p++;
				left--;
			}
		}
		sip_write_raw(w, SV(" "));
	}
}

void sip_write_header(struct sip_writer *w, const char *name, struct str_view value)
{
	sip_write_raw(w, (struct str_view){name, strlen(name)});
	sip_write_raw(w, SV(": "));
	sip_write_value(w, value);
	sip_write_raw(w, SV("\r\n"));
}

void sip_write_body(struct sip_writer *w, struct str_view content_type, struct str_view body)
{
	if (body.len != 0)
		sip_write_header(w, "Content-Type", content_type);
	sip_write_raw(w, SV("Content-Length: "));
	sip_write_uint(w, body.len);
	sip_write_raw(w, SV("\r\n\r\n"));
	sip_write_raw(w, body);
}

int sip_writer_finish(struct sip_writer *w)
{
	if (w->failed)
		return w->bad_value ? -EBADMSG : -EMSGSIZE;
	return (int)w->len;
}

void sip_random_token(char *out, size_t n)
{
	static const char alphabet[33] = "abcdefghijklmnopqrstuvwxyz234567";

	random_bytes(out, n);
	for (size_t i = 0; i < n; i++)
		out[i] = alphabet[out[i] & 31];
	out[n] = '\0';
}

void sip_lane_token(
	const uint64_t key[2], const struct net_addr *peer, char out[LANE_TOKEN_LEN + 1])
{
	uint64_t nonce;

	random_bytes(&nonce, sizeof(nonce));
	lane_token_build(key, peer, nonce, out);
	out[LANE_TOKEN_LEN] = '\0';
}
