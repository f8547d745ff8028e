import type { Attributes } from './attributes.ts';
import type { Policy } from './policy.ts';
import type { MessageWriter } from './writer.ts';

/** Writes the command header and attributes of one reply message. */
export type Fill = (writer: MessageWriter) => void;

/** One command of a family, with what it does for either kind of request. */
export interface Operation {
  readonly command: number;
  /** Answers a request for one thing; without a result the acknowledgement alone answers. */
  readonly one?: (attributes: Attributes) => Promise<Fill | undefined>;
  /** Answers a request for a list; the attributes are `undefined` where they are malformed. */
  readonly dump?: (attributes: Attributes | undefined) => Promise<readonly Fill[]>;
}

/** A generic-netlink family that a session serves. */
export interface Family {
  /** Message type of the family, 16 or more. */
  readonly id: number;
  readonly name: string;
  readonly version: number;
  readonly maxAttribute: number;
  /** Whether the controller says that its operations need privileges. */
  readonly isPrivileged: boolean;
  readonly policy: Policy;
  readonly operations: readonly Operation[];
}
