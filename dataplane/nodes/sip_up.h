/*
 * What a SIP message is to the policer, and which ones give way when control is slow.
 */
#ifndef SALLYPORT_NODES_SIP_UP_H
#define SALLYPORT_NODES_SIP_UP_H

#include "drops.h"
#include "lane.h"
#include "records.h"
#include "sip_parse.h"

static inline enum sip_class sip_up_class(const struct sip_index *idx)
{
	if (idx->status != 0 || idx->has_to_tag)
		return SIP_CLASS_DIALOG;
	switch (idx->method) {
	case SIP_ACK:
	case SIP_CANCEL: /* carries no To tag, belongs to a call that we have */
		return SIP_CLASS_DIALOG;
	case SIP_INVITE:
	case SIP_REGISTER:
	case SIP_SUBSCRIBE:
	case SIP_REFER:
		return SIP_CLASS_NEW;
	default:
		return SIP_CLASS_OUT;
	}
}

/** The rate that counts a message besides its source's; POLICE_METHOD_COUNT: none. */
static inline enum police_method sip_up_method(
	const struct sip_index *idx, enum sip_class sip_class)
{
	if (sip_class != SIP_CLASS_NEW && sip_class != SIP_CLASS_OUT)
		return POLICE_METHOD_COUNT;
	switch (idx->method) {
	case SIP_INVITE:
		return POLICE_INVITE;
	case SIP_REGISTER:
		return POLICE_REGISTER;
	case SIP_OPTIONS:
		return POLICE_OPTIONS;
	default:
		return POLICE_OTHER;
	}
}

/**
 * Does the message bring back a token of ours (lane.h)? Of a request the To tag is ours; of a
 * response the From tag, which names the dialog, or else the branch behind RFC 3261's cookie.
 * @param peer  the packet's source.
 */
static inline bool sip_up_in_lane(const uint64_t key[2], const struct net_addr *peer,
	const char *msg, const struct sip_index *idx, uint64_t *nonce)
{
	const struct str_view cookie = SV("z9hG4bK");
	struct str_view branch;

	if (idx->status == 0)
		return idx->has_to_tag &&
		       lane_token_check(key, peer, sip_span_view(msg, idx->to_tag), nonce);
	if (lane_token_check(key, peer, sip_span_view(msg, idx->from_tag), nonce))
		return true;
	if (!sip_peek_branch(sip_header_find(msg, idx, SIP_HDR_VIA, 0), &branch) ||
		branch.len < cookie.len || memcmp(branch.p, cookie.p, cookie.len) != 0)
		return false;
	branch.p += cookie.len;
	branch.len -= cookie.len;
	return lane_token_check(key, peer, branch, nonce);
}

/** Free share of the ring, percent, that a message leaves to those above it; and the reason for
 * which it is dropped if there is less. */
struct sip_up_admission {
	uint8_t free_min;
	uint8_t reason;
};

#define SIP_UP_NOBODY \
	{ \
		[SIP_CLASS_NEW] = {60, DROP_UP_FULL_NEW}, \
		[SIP_CLASS_OUT] = {50, DROP_UP_FULL_OUT}, [SIP_CLASS_DIALOG] = {20, DROP_UP_FULL}, \
		[SIP_CLASS_LANE] = {0, DROP_UP_FULL_LANE}, \
	}
static const struct sip_up_admission sip_up_admission[SOURCE_CLASS_COUNT][SIP_CLASS_COUNT] = {
	[SOURCE_UNTRUSTED] = SIP_UP_NOBODY,
	/* in the lane only, from an address that was denied and may be forged */
	[SOURCE_DENIED] = SIP_UP_NOBODY,
	[SOURCE_TRUSTED] =
		{
			[SIP_CLASS_NEW] = {35, DROP_UP_FULL_TRUSTED},
			[SIP_CLASS_OUT] = {40, DROP_UP_FULL_TRUSTED},
			[SIP_CLASS_DIALOG] = {15, DROP_UP_FULL},
			[SIP_CLASS_LANE] = {0, DROP_UP_FULL_LANE},
		},
};
#undef SIP_UP_NOBODY

#endif
