import type { Membership } from "./membership.js";

/** Who is there, for those who do not run the membership themselves. */
export type MemberView = Pick<Membership, "alive" | "members" | "find" | "onChange" | "ownAddress">;
