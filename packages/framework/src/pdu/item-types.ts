/** Items of an A-ASSOCIATE PDU and of its presentation contexts (PS3.8 9.3.2 and 9.3.3). */
export const ItemType = {
  ApplicationContext: 0x10,
  PresentationContextRq: 0x20,
  PresentationContextAc: 0x21,
  AbstractSyntax: 0x30,
  TransferSyntax: 0x40,
  UserInformation: 0x50,
} as const
export type ItemType = (typeof ItemType)[keyof typeof ItemType]
