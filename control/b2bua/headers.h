/*
 * What crosses the box in a header: rows of an allow-list, and how the value of each is written
 * anew so that it names nothing of the side that it comes from.
 */
#ifndef SALLYPORT_B2BUA_HEADERS_H
#define SALLYPORT_B2BUA_HEADERS_H

#include "config.h"
#include "sip_build.h"

/** The way of a message through the box. */
struct crossing {
	const struct config_realm *from, *to;
	const struct net_endpoint *here; /* ours on the side that it goes to */
};

/** Writes one header line of the message that leaves, or none. @param value  as received. */
typedef void (*header_rule_fn)(
	struct sip_writer *w, const struct crossing *x, const char *name, struct str_view value);

/**
 * Headers that may cross, by the method and status of `in`. What a dialog, a body, or the box
 * itself determines (From, Contact, Refer-To, Content-Type, Allow ...) is not among them.
 */
void headers_pass(struct sip_writer *w, const struct sip_msg *in, const struct crossing *x);

/**
 * Does a text for people name a numeric address, or the host of the URI that it stands beside?
 * @param host  with a dot in it; else only addresses are looked for. May be empty.
 */
bool place_is_named(struct str_view text, struct str_view host);
/** Must what goes from one to the other name no place? From a trusted to an untrusted realm. */
bool place_is_secret(const struct config_realm *from, const struct config_realm *to);

/* header_rules.c */
/** As it is, unless it names an address. */
void header_copy(
	struct sip_writer *w, const struct crossing *x, const char *name, struct str_view value);
/** One token, its parameters left behind. */
void header_token(
	struct sip_writer *w, const struct crossing *x, const char *name, struct str_view value);
/** A list of such. */
void header_tokens(
	struct sip_writer *w, const struct crossing *x, const char *name, struct str_view value);
/** Option tags of extensions that work from end to end through the box. */
void header_option_tags(
	struct sip_writer *w, const struct crossing *x, const char *name, struct str_view value);
/** Digits alone: no comment. */
void header_number(
	struct sip_writer *w, const struct crossing *x, const char *name, struct str_view value);
/** "Q.850;cause=16" without its text, which may name anything (RFC 3326). */
void header_reason(
	struct sip_writer *w, const struct crossing *x, const char *name, struct str_view value);
/** Package and id (RFC 6665 section 8.2.1): those of the dialog package name dialogs. */
void header_event(
	struct sip_writer *w, const struct crossing *x, const char *name, struct str_view value);
/** State, reason and times (RFC 6665 section 8.2.3). */
void header_subscription_state(
	struct sip_writer *w, const struct crossing *x, const char *name, struct str_view value);
/** Identities between trusted realms, with our host in them. */
void header_identity(
	struct sip_writer *w, const struct crossing *x, const char *name, struct str_view value);
/** Likewise, with what parameters RFC 5806 has. */
void header_diversion(
	struct sip_writer *w, const struct crossing *x, const char *name, struct str_view value);
/** Likewise (RFC 7044); an entry that asks for privacy is left behind. */
void header_history(
	struct sip_writer *w, const struct crossing *x, const char *name, struct str_view value);
/** One name between any realms, with our host in it (RFC 3892). */
void header_referrer(
	struct sip_writer *w, const struct crossing *x, const char *name, struct str_view value);
/** Where a 300, 301 or 302 says to go: the same user, by way of the box. */
void header_redirect(
	struct sip_writer *w, const struct crossing *x, const char *name, struct str_view value);

/* auth_rules.c */
/** Digest challenges, each on a line, without their domain (RFC 3261 section 20.44). */
void header_challenge(
	struct sip_writer *w, const struct crossing *x, const char *name, struct str_view value);
/** Digest credentials; none from a trusted to an untrusted realm whose uri has an address. */
void header_credentials(
	struct sip_writer *w, const struct crossing *x, const char *name, struct str_view value);

/**
 * The next of several challenges in one value: "Digest realm=a, nonce=b, Digest realm=c".
 * @param rest  in: what is left; out: what follows. Starts as the header value.
 * @param one   with its scheme, for header_auth_param(). @return true if there was one.
 */
bool header_auth_next(struct str_view *rest, struct str_view *one);

/** A parameter of one challenge or of credentials, without its quotes. @return p NULL: not there.
 */
struct str_view header_auth_param(struct str_view one, struct str_view name);

/* message_summary.c */
/** A body of application/simple-message-summary with its type, or none where it is no such.
 * @param here  ours on the side that it goes to. */
void message_summary_write(
	struct sip_writer *w, const struct net_endpoint *here, struct str_view body);

/** The Reason value of header_reason(). @param out  "" if there is none. */
void header_reason_text(struct str_view value, char *out, size_t cap);

#endif
