/** Seconds by which the remaining time of an entry may differ. */
const EXPIRY_TOLERANCE_SEC = 3;
const ENTRY = /^(\S+ +)(\d\d):(\d\d)( .*)$/;
/** Rates depend on the moment at which the estimator ran. */
const RATE_COLUMN = 'OutBPS';

/** Whether two outputs of a command are alike: exactly, but for rates, remaining times and the order of entries. */
export function areAlike(expected: string, actual: string): boolean {
  if (expected === actual) return true;
  if (expected.startsWith('IPVS connection entries')) return areEntriesAlike(expected, actual);
  if (expected.includes(RATE_COLUMN)) return expected.split('\n').length === actual.split('\n').length;
  if (expected.includes('Pro FromIP')) return withoutTimes(expected) === withoutTimes(actual);
  return false;
}

function areEntriesAlike(expected: string, actual: string): boolean {
  const [wanted, seen] = [entriesOf(expected), entriesOf(actual)];
  return (
    wanted.length === seen.length &&
    wanted.every(([text, sec], i) => {
      const [otherText, otherSec] = seen[i]!;
      return text === otherText && Math.abs(sec - otherSec) <= EXPIRY_TOLERANCE_SEC;
    })
  );
}

/** Each line without its time, and the time in seconds; the entries sorted. */
function entriesOf(listing: string): [string, number][] {
  const lines = listing.split('\n').map((line): [string, number] => {
    const found = ENTRY.exec(line);
    return found ? [found[1]! + found[4]!, Number(found[2]) * 60 + Number(found[3])] : [line, 0];
  });
  const entries = lines.slice(2).sort(([a], [b]) => (a < b ? -1 : 1));
  return [...lines.slice(0, 2), ...entries];
}

const withoutTimes = (text: string): string =>
  text
    .split('\n')
    .map((line) => line.replace(/ +\d+( |$)/g, ' '))
    .sort()
    .join('\n');
