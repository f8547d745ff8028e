import { IpvsError } from '../core/errors.ts';
import type { Attributes } from './attributes.ts';
import type { Family, Fill, Operation } from './families.ts';
import { type Policy, U16, U32 } from './policy.ts';
import type { MessageWriter } from './writer.ts';

/** The controller's family number, the only one that is fixed (GENL_ID_CTRL). */
export const CONTROLLER_ID = 16;
export const CONTROLLER_VERSION = 2;

export const CONTROLLER_COMMAND = { NEW_FAMILY: 1, GET_FAMILY: 3 } as const;

export const CONTROLLER_ATTR = {
  FAMILY_ID: 1,
  FAMILY_NAME: 2,
  VERSION: 3,
  HDRSIZE: 4,
  MAXATTR: 5,
  OPS: 6,
} as const;

export const CONTROLLER_POLICY: Policy = {
  [CONTROLLER_ATTR.FAMILY_ID]: U16,
  [CONTROLLER_ATTR.FAMILY_NAME]: { kind: 'text', max: 15 },
  [CONTROLLER_ATTR.VERSION]: U32,
  [CONTROLLER_ATTR.HDRSIZE]: U32,
  [CONTROLLER_ATTR.MAXATTR]: U32,
};

const OPERATION_ATTR = { ID: 1, FLAGS: 2 } as const;

/** How the controller describes an operation (GENL_ADMIN_PERM, GENL_CMD_CAP_*). */
const OPERATION_FLAG = { PRIVILEGED: 1, ONE: 2, DUMP: 4, HAS_POLICY: 8 } as const;

/** @returns the family `nlctrl`, which tells about the given families and itself. */
export function controllerFamily(others: readonly Family[]): Family {
  const controller: Family = {
    id: CONTROLLER_ID,
    name: 'nlctrl',
    version: CONTROLLER_VERSION,
    maxAttribute: 10,
    isPrivileged: false,
    policy: CONTROLLER_POLICY,
    operations: [
      {
        command: CONTROLLER_COMMAND.GET_FAMILY,
        one: async (attributes) => describe(look([controller, ...others], attributes)),
        dump: async () => [controller, ...others].map(describe),
      },
    ],
  };
  return controller;
}

/** Both a number and a name may be given; the name decides, as in the kernel. */
function look(families: readonly Family[], attributes: Attributes): Family {
  const { FAMILY_ID, FAMILY_NAME } = CONTROLLER_ATTR;
  const byName = attributes.has(FAMILY_NAME);
  if (!byName && !attributes.has(FAMILY_ID)) throw new IpvsError('EINVAL', 'a family has a number or a name');
  const found = families.find((family) =>
    byName ? family.name === attributes.text(FAMILY_NAME) : family.id === attributes.u16(FAMILY_ID),
  );
  if (!found) throw new IpvsError('ENOENT', 'there is no such family');
  return found;
}

function describe(family: Family): Fill {
  return (writer) => {
    writer
      .genl(CONTROLLER_COMMAND.NEW_FAMILY, CONTROLLER_VERSION)
      .attrText(CONTROLLER_ATTR.FAMILY_NAME, family.name)
      .attrU16(CONTROLLER_ATTR.FAMILY_ID, family.id)
      .attrU32(CONTROLLER_ATTR.VERSION, family.version)
      .attrU32(CONTROLLER_ATTR.HDRSIZE, 0)
      .attrU32(CONTROLLER_ATTR.MAXATTR, family.maxAttribute)
      .nest(CONTROLLER_ATTR.OPS, (ops) => describeOperations(ops, family));
  };
}

function describeOperations(writer: MessageWriter, family: Family): void {
  for (const [index, operation] of family.operations.entries()) {
    writer.nest(index + 1, (one) =>
      one
        .attrU32(OPERATION_ATTR.ID, operation.command)
        .attrU32(OPERATION_ATTR.FLAGS, operationFlags(operation, family.isPrivileged)),
    );
  }
}

function operationFlags(operation: Operation, isPrivileged: boolean): number {
  return (
    OPERATION_FLAG.HAS_POLICY |
    (isPrivileged ? OPERATION_FLAG.PRIVILEGED : 0) |
    (operation.one ? OPERATION_FLAG.ONE : 0) |
    (operation.dump ? OPERATION_FLAG.DUMP : 0)
  );
}
