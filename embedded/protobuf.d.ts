/** google-protobuf comes without types; these are the parts that the runner touches. */
declare module "google-protobuf/google/protobuf/struct_pb" {
  export class Struct {
    static fromJavaScript(value: Record<string, unknown>): Struct;
    toJavaScript(): Record<string, unknown>;
  }
}

declare module "google-protobuf/google/protobuf/empty_pb" {
  export class Empty {}
}
