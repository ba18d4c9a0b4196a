/*
 * Which messages give way when control is slow.
 */
#ifndef SALLYPORT_NODES_SIP_UP_H
#define SALLYPORT_NODES_SIP_UP_H

#include "records.h"
#include "sip_scan.h"

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

#endif
