/* A good configuration file, for tests that read it whole, cut, or with one mistake. */
#ifndef SALLYPORT_TEST_CONFIG_GOOD_H
#define SALLYPORT_TEST_CONFIG_GOOD_H

/* Lines that tests name are of this text. */
static const char good[] = "dataplane:\n"					    /* 1 */
			   "  cores: \"1\"\n"					    /* 2 */
			   "  idle: adaptive\n"					    /* 3 */
			   "  ports:\n"						    /* 4 */
			   "    - {name: access, device: \"net_af_xdp,iface=a\"}\n" /* 5 */
			   "    - {name: core, device: \"net_af_xdp,iface=b\"}\n"   /* 6 */
			   "realms:\n"						    /* 7 */
			   "  - name: access\n"					    /* 8 */
			   "    port: access\n"					    /* 9 */
			   "    trust: untrusted\n"				    /* 10 */
			   "    nat: auto\n"					    /* 11 */
			   "    addresses: [192.0.2.1/24, 192.0.2.2/24]\n"	    /* 12 */
			   "    gateway: 192.0.2.254\n"				    /* 13 */
			   "    sip: [\"192.0.2.1:5060\"]\n"			    /* 14 */
			   "    media: {address: 192.0.2.2, ports: 20000-29999}\n"  /* 15 */
			   "    limits: {sip_rate: 70, sip_burst: 140, calls: 9}\n" /* 16 */
			   "  - name: core\n"					    /* 17 */
			   "    port: core\n"					    /* 18 */
			   "    trust: trusted\n"				    /* 19 */
			   "    nat: never\n"					    /* 20 */
			   "    addresses: [198.51.100.1/24]\n"			    /* 21 */
			   "    sip: [\"198.51.100.1:5060\"]\n"			    /* 22 */
			   "    media:\n"					    /* 23 */
			   "      address: 198.51.100.1\n"			    /* 24 */
			   "      ports: 30000-39999\n"				    /* 25 */
			   "    media_timeout_s: 30\n"				    /* 26 */
			   "    latch_prefix: 24\n"				    /* 27 */
			   "peers:\n"						    /* 28 */
			   "  - name: softswitch\n"				    /* 29 */
			   "    realm: core\n"					    /* 30 */
			   "    address: 198.51.100.2\n"			    /* 31 */
			   "  - name: phones\n"					    /* 32 */
			   "    realm: access\n"				    /* 33 */
			   "    address: 192.0.2.9\n"				    /* 34 */
			   "    port: 5080\n"					    /* 35 */
			   "routes:\n"						    /* 36 */
			   "  - {from: access, to: softswitch}\n"		    /* 37 */
			   "  - from: core\n"					    /* 38 */
			   "    from_peer: softswitch\n"			    /* 39 */
			   "    user_prefix: \"1\"\n"				    /* 40 */
			   "    to: phones\n"					    /* 41 */
			   "ops:\n"						    /* 42 */
			   "  control_socket: /tmp/control.sock\n"		    /* 43 */
			   "  shards: 2\n"					    /* 44 */
			   "  log_level: debug\n";				    /* 45 */

#endif
