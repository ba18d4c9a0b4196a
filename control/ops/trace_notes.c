#include "trace_notes.h"

#include "siphash.h"

#define ROOM_FIRST 16 /* a call that is answered and ends has about as many */
#define LABEL_MAX 22

struct trace_entry {
	uint32_t ms; /* since the first */
	uint32_t print;
	uint32_t cseq;
	uint16_t size; /* bytes of the message */
	uint16_t status;
	uint8_t method;
	uint8_t callee : 1, sent : 1, sdp : 1, again : 1;
	char label[LABEL_MAX]; /* where the number does not say it; filled up with NUL */
};
static_assert(sizeof(struct trace_entry) == TRACE_NOTE_BYTES, "what a call may cost");

void trace_notes_init(struct trace_notes *n, unsigned int max, uint64_t now_ms)
{
	*n = (struct trace_notes){.max = max, .start_ms = now_ms};
}

void trace_notes_fini(struct trace_notes *n)
{
	free(n->entry);
}

#define ODD 0x9e3779b97f4a7c15ull

/* Four numbers in one register, as the machine adds and shifts them. */
typedef uint64_t print_lanes __attribute__((vector_size(32)));

/*
 * A number for the whole message. SIP sends the same bytes again (RFC 3261 section 17), so equal
 * numbers mean a retransmission; a peer that made two messages collide would mislabel its own call.
 * The lanes turn by 29 of 64 bits each time: what differs in one place weighs otherwise in another.
 */
static uint32_t fingerprint(struct str_view text)
{
	print_lanes lanes = {text.len}, part = {0};
	uint64_t sum = ODD;
	size_t i;

	for (i = 0; i + sizeof(part) <= text.len; i += sizeof(part)) {
		memcpy(&part, text.p + i, sizeof(part));
		lanes = (lanes << 29 | lanes >> 35) + part;
	}
	if (i < text.len) {
		part = (print_lanes){0};
		memcpy(&part, text.p + i, text.len - i);
		lanes = (lanes << 29 | lanes >> 35) + part;
	}
	/* Times an odd number: what differs stays different. A product carries upwards only. */
	for (unsigned int n = 0; n < 4; n++) {
		sum = (sum ^ lanes[n]) * ODD;
		sum ^= sum >> 32;
	}
	return (uint32_t)(sum * ODD >> 32);
}

/* How many stay for good. */
static uint32_t first_of(const struct trace_notes *n)
{
	return n->max / 2;
}

static uint64_t kept(const struct trace_notes *n)
{
	return n->total < n->room ? n->total : n->room;
}

static bool is_again(const struct trace_notes *n, const struct trace_entry *e)
{
	for (uint64_t i = 0; i < kept(n); i++) {
		const struct trace_entry *o = &n->entry[i];

		if (o->print == e->print && o->size == e->size && o->callee == e->callee &&
			o->sent == e->sent)
			return true;
	}
	return false;
}

static void grow(struct trace_notes *n)
{
	uint32_t room = n->room == 0 ? ROOM_FIRST : 2 * n->room;
	struct trace_entry *more;

	if (room > n->max)
		room = n->max;
	more = realloc(n->entry, room * sizeof(*more));
	if (more == NULL)
		return;
	n->entry = more;
	n->room = room;
}

/* Printable ASCII; what is cut off is shown as such. */
static void label_set(struct trace_entry *e, struct str_view label)
{
	size_t len = label.len < LABEL_MAX ? label.len : LABEL_MAX;

	for (size_t i = 0; i < len; i++)
		e->label[i] = label.p[i] < ' ' || label.p[i] > '~' ? '?' : label.p[i];
	if (label.len > LABEL_MAX)
		memcpy(e->label + LABEL_MAX - 3, "...", 3);
}

/* Where the next note goes; NULL: nowhere. */
static struct trace_entry *next_entry(struct trace_notes *n)
{
	uint32_t first = first_of(n);

	if (n->total >= n->room && n->room < n->max)
		grow(n);
	if (n->total < n->room)
		return &n->entry[n->total];
	if (n->room < n->max) /* no memory; nothing may be missing in the middle without a word */
		return NULL;
	return &n->entry[first + (n->total - first) % (n->max - first)];
}

void trace_notes_add(struct trace_notes *n, const struct trace_message *m, uint64_t now_ms)
{
	uint64_t ms = now_ms - n->start_ms;
	struct trace_entry e = {
		.ms = ms < UINT32_MAX ? (uint32_t)ms : UINT32_MAX,
		.print = fingerprint(m->text),
		.cseq = m->cseq,
		.size = (uint16_t)(m->text.len < UINT16_MAX ? m->text.len : UINT16_MAX),
		.status = m->status,
		.method = m->method,
		.callee = m->side == TRACE_CALLEE,
		.sent = m->sent,
		.sdp = m->sdp,
	};
	struct trace_entry *to;

	e.again = is_again(n, &e);
	label_set(&e, m->label);
	to = next_entry(n);
	if (to == NULL) {
		n->left_out++;
		return;
	}
	*to = e;
	n->total++;
}

static json_t *entry_json(const struct trace_entry *e)
{
	json_t *o = json_pack("{s:I, s:s, s:s, s:s, s:I, s:i, s:b, s:b}", "ms", (json_int_t)e->ms,
		"leg", e->callee ? "callee" : "caller", "direction", e->sent ? "out" : "in",
		"method", sip_method_name(e->method), "cseq", (json_int_t)e->cseq, "bytes",
		(int)e->size, "sdp", e->sdp, "again", e->again);

	if (e->status != 0) {
		json_object_set_new(o, "status", json_integer(e->status));
		json_object_set_new(
			o, "reason", json_stringn(e->label, strnlen(e->label, LABEL_MAX)));
	} else if (e->method == SIP_METHOD_OTHER) {
		json_object_set_new(
			o, "method", json_stringn(e->label, strnlen(e->label, LABEL_MAX)));
	}
	return o;
}

void trace_notes_json(const struct trace_notes *n, json_t *o)
{
	uint64_t have = kept(n), lost = n->total - have, first = first_of(n);
	json_t *list = json_array();

	for (uint64_t i = 0; i < have; i++) {
		uint64_t at = i;

		/* Round the ring from its oldest. */
		if (lost > 0 && i >= first)
			at = first + (i - first + lost) % (n->max - first);
		json_array_append_new(list, entry_json(&n->entry[at]));
	}
	/* Without memory what is missing are the last ones. */
	json_object_set_new(o, "kept_first", json_integer((json_int_t)(lost > 0 ? first : have)));
	json_object_set_new(o, "left_out", json_integer((json_int_t)(lost + n->left_out)));
	json_object_set_new(o, "messages", list);
}
