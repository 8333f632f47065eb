import * as fs from "node:fs";
import * as path from "node:path";
import { describe, expect, it } from "vitest";
import { contextFiles } from "../../../infra/targets/docker/base";
import { bases, baseImage } from "../../../infra/targets/docker/base";
import { checkout } from "../../../infra/host/folders";

const read = (name: string) => fs.readFileSync(path.join(checkout, name), "utf8");

describe.each(["engine", "minio"])("images/%s/Dockerfile", (image) => {
  const text = read(`images/${image}/Dockerfile`);
  const files = contextFiles(read(`images/${image}/Dockerfile.dockerignore`));
  const instructions = text
    .replace(/\\\n/g, " ")
    .split("\n")
    .filter((line) => /^[A-Z]/.test(line));

  it("needs no registry besides the base image's: no syntax line, no other image", () => {
    expect(text).not.toMatch(/^#\s*syntax/m);
    const stages = new Set(["${BASE_IMAGE}"]);
    for (const line of instructions.filter((each) => each.startsWith("FROM "))) {
      const [, from, , stage] = line.split(/\s+/);
      expect(stages).toContain(from);
      if (stage) stages.add(stage);
    }
  });

  it("runs as a user with a number, which is not root's", () => {
    expect(instructions.filter((line) => line.startsWith("USER ")).at(-1)).toBe("USER 10001:10001");
  });

  it("copies only what its .dockerignore lets in, and all of that", () => {
    const copies = instructions.filter(
      (line) => line.startsWith("COPY ") && !line.includes("--from="),
    );
    const sources = copies.flatMap((line) => line.split(/\s+/).slice(1, -1));
    const covered = (file: string) =>
      sources.some((source) => file === source || file.startsWith(`${source}/`));
    for (const source of sources) {
      expect(
        files.some((file) => file === source || file.startsWith(`${source}/`)),
        source,
      ).toBe(true);
    }
    const besides = files.filter(
      (file) => !covered(file) && !file.startsWith(`images/${image}/Dockerfile`),
    );
    expect(besides).toEqual([]);
  });

  it("has the extra certificates only as a secret, in every step that fetches over TLS", () => {
    expect(files.filter((file) => /\.(crt|pem)$/.test(file))).toEqual([]);
    for (const line of instructions.filter((each) =>
      /^RUN .*with-extra-certificates /.test(each),
    )) {
      expect(line).toContain("--mount=type=secret,id=extra-certificates");
    }
  });
});

describe("images/engine/Dockerfile", () => {
  it("copies the pipelines' code last, after everything that is installed", () => {
    const lines = read("images/engine/Dockerfile").split("\n");
    const code = lines.findIndex((line) => line.startsWith("COPY pipelines/engine_comparison /"));
    const after = lines.slice(code).join("\n");
    expect(code).toBeGreaterThan(0);
    expect(after).not.toMatch(/^COPY --from|\bpip\b|apt-get/m);
  });

  it("installs only what a lock with hashes names", () => {
    for (const install of read("images/engine/Dockerfile")
      .replace(/\\\n/g, " ")
      .match(/pip (install|sync)[^&;]*/g)!) {
      expect(install).toContain("--require-hashes");
    }
  });
});

describe("the base image", () => {
  it("is exact by default, and the CUDA one only where there is a GPU", () => {
    for (const base of Object.values(bases)) expect(base).toMatch(/:[\w.-]+@sha256:[0-9a-f]{64}$/);
    expect(baseImage({ baseImage: undefined }, "cpu")).toBe(bases.cpu);
    expect(baseImage({ baseImage: undefined }, "cuda")).toContain("nvidia/cuda");
    expect(baseImage({ baseImage: "mine:1" }, "cuda")).toBe("mine:1");
  });
});
