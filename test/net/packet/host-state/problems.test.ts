import { expect, test } from 'vitest';
import { droppingChains, settingProblems } from '../../../../src/net/packet/host-state/problems.ts';

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
