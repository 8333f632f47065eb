import * as fs from "node:fs";
import * as path from "node:path";
import { describe, expect, it } from "vitest";
import { incarnation, readStanding, writeStanding } from "../../../infra/stack/records";
import { freshHome } from "../cli/home";

const home = freshHome();
const alive = () => true;

describe("what stands", () => {
  it("keeps its incarnation while it is alive, and has the next one then", () => {
    expect(incarnation("local", "minio", alive)).toBe(1);
    writeStanding("local", "minio", { incarnation: 3, result: {} });
    expect(incarnation("local", "minio", alive)).toBe(3);
    expect(incarnation("local", "minio", () => false)).toBe(4);
  });

  it.each(["", "null", '{"incarnation":1,"resu', "[]", '{"incarnation":"1","result":{}}'])(
    "a broken record is of no incarnation that was (%j)",
    (text) => {
      writeStanding("local", "minio", { incarnation: 1, result: {} });
      fs.writeFileSync(path.join(home(), "local", "standing", "minio.json"), text);
      expect(readStanding("local", "minio")).toBeUndefined();
      expect(incarnation("local", "minio", alive)).toBe(0);
    },
  );
});
