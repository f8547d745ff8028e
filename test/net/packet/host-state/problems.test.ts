import { expect, test } from 'vitest';
import {
  chainsOnTheWay,
  droppingChains,
  hasStrictPath,
  settingProblems,
} from '../../../../src/net/packet/host-state/problems.ts';

const GOOD = { 'ipv4/ip_forward': 1, 'ipv6/conf/all/forwarding': 1, 'ipv4/conf/all/rp_filter': 0 };

test.each([
  { what: 'nothing', settings: {}, hasIpv6: true, wasStrict: false, says: [] },
  {
    what: 'IPv4 that is not forwarded',
    settings: { 'ipv4/ip_forward': 0 },
    hasIpv6: true,
    wasStrict: false,
    says: [/^net\.ipv4\.ip_forward is 0: .*set it to 1$/],
  },
  {
    what: 'IPv6 that is not forwarded',
    settings: { 'ipv6/conf/all/forwarding': 0 },
    hasIpv6: true,
    wasStrict: false,
    says: [/^net\.ipv6\.conf\.all\.forwarding is 0: .*set it to 1$/],
  },
  {
    what: 'nothing of IPv6 where there is none',
    settings: { 'ipv6/conf/all/forwarding': 0 },
    hasIpv6: false,
    wasStrict: false,
    says: [],
  },
  {
    what: 'paths that have become strict',
    settings: { 'ipv4/conf/all/rp_filter': 1 },
    hasIpv6: true,
    wasStrict: false,
    says: [/^net\.ipv4\.conf\.all\.rp_filter has become 1: /],
  },
  {
    what: 'nothing of paths that were strict from the start',
    settings: { 'ipv4/conf/all/rp_filter': 1 },
    hasIpv6: true,
    wasStrict: true,
    says: [],
  },
])('$what is a problem', ({ settings, hasIpv6, wasStrict, says }) => {
  const values: Readonly<Record<string, number>> = { ...GOOD, ...settings };
  const problems = settingProblems(hasIpv6, wasStrict, (path) => values[path]);
  expect(problems).toEqual(says.map((pattern) => expect.stringMatching(pattern)));
});

test('finds the chains that drop what is routed in what nft prints', () => {
  const listing = `table ip filter {
	chain INPUT {
		type filter hook input priority filter; policy drop;
	}
	chain FORWARD {
		type filter hook forward priority filter; policy drop;
	}
	chain DOCKER {
	}
}
table inet firewalld {
	chain filter_FORWARD {
		type filter hook forward priority filter + 10; policy accept;
	}
}
`;
  expect(droppingChains(listing)).toEqual(['nft chain ip filter FORWARD']);
  expect(droppingChains('')).toEqual([]);
});

test("finds the chains of others that are on packets' way to a device", () => {
  const listing = `table ip uipvs {
	chain prerouting {
		type filter hook prerouting priority -90; policy accept;
	}
}
table ip6 uipvs {
	chain prerouting {
		type filter hook prerouting priority -90; policy accept;
	}
}
table ip nat {
	chain PREROUTING {
		type nat hook prerouting priority dstnat; policy accept;
	}
	chain POSTROUTING {
		type nat hook postrouting priority srcnat; policy accept;
	}
}
table inet filter {
	chain input {
		type filter hook input priority filter; policy accept;
	}
	chain forward {
		type filter hook forward priority filter; policy accept;
	}
	chain unhooked {
	}
}
table netdev early {
	chain drops {
		type filter hook ingress device "eth0" priority filter; policy accept;
	}
}
`;
  expect(chainsOnTheWay(listing)).toEqual([
    'nft chain ip nat PREROUTING',
    'nft chain inet filter forward',
    'nft chain netdev early drops',
  ]);
});

test.each([
  { all: 0, own: 0, isStrict: false },
  { all: 1, own: 0, isStrict: true },
  { all: 0, own: 1, isStrict: true },
  { all: 1, own: 2, isStrict: false },
  { all: 2, own: 1, isStrict: false },
])(
  'paths of a device are strict: $isStrict where all have $all and it has $own',
  ({ all, own, isStrict }) => {
    const setting = (path: string): number => (path === 'ipv4/conf/d0/rp_filter' ? own : all);
    expect(hasStrictPath('d0', setting)).toBe(isStrict);
  },
);
