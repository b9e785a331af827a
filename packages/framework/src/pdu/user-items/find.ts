import type { KnownUserItem, UserItem } from './types.ts'

/** Tells known items from kept unknown ones: `type` alone does not, since an unknown one's is any number. */
export function isKnownUserItem(item: UserItem): item is KnownUserItem {
  return !('unknown' in item)
}

/**
 * The items of one type, in the order they came.
 *
 * @example
 * const roles = filterUserItems(association.request.userInformation, UserItemType.ScpScuRoleSelection)
 */
export function filterUserItems<T extends KnownUserItem['type']>(
  items: readonly UserItem[],
  type: T,
): Extract<KnownUserItem, { type: T }>[] {
  return items.filter((item): item is Extract<KnownUserItem, { type: T }> => isKnownUserItem(item) && item.type === type)
}

/**
 * The first item of a type that should occur once.
 *
 * @example
 * const maximum = findUserItem(association.accept.userInformation, UserItemType.MaximumLength)?.maximumLengthReceived
 */
export function findUserItem<T extends KnownUserItem['type']>(
  items: readonly UserItem[],
  type: T,
): Extract<KnownUserItem, { type: T }> | undefined {
  for (const item of items) {
    if (item.type === type && isKnownUserItem(item)) return item as Extract<KnownUserItem, { type: T }>
  }
  return undefined
}
