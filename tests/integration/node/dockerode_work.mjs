// dockerode does a piece of work: attach, exec, files both ways, events. Prints what it saw as one line of JSON.
import { PassThrough } from "node:stream";
import Docker from "dockerode";

const docker = new Docker({ socketPath: process.argv[2] });
const seen = {};

const text = async (stream) => {
  const parts = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts).toString();
};

// Both streams of a multiplexed answer, once it has ended.
const streamsOf = async (stream) => {
  const out = new PassThrough();
  const err = new PassThrough();
  docker.modem.demuxStream(stream, out, err);
  stream.on("end", () => (out.end(), err.end()));
  return Promise.all([text(out), text(err)]);
};

const events = await docker.getEvents({ filters: { type: ["container"] } });
const actions = [];
events.on("data", (line) => line.toString().trim().split("\n").forEach((one) => actions.push(JSON.parse(one).Action)));

const container = await docker.createContainer({
  Image: "busybox",
  Cmd: ["sh", "-c", "echo out; echo err >&2; cat; sleep 1000"],
  OpenStdin: true,
  StdinOnce: true,
  AttachStdin: true,
  AttachStdout: true,
  AttachStderr: true,
});
const attached = await container.attach({ stream: true, stdin: true, stdout: true, stderr: true, hijack: true });
const output = streamsOf(attached);
await container.start();
attached.write("typed\n");
attached.end();

const exec = await container.exec({ Cmd: ["sh", "-c", "echo in exec; exit 7"], AttachStdout: true, AttachStderr: true });
seen.exec = (await streamsOf(await exec.start({ hijack: true })))[0];
seen.exitCode = (await exec.inspect()).ExitCode;

const archive = await container.getArchive({ path: "/etc/passwd" });
seen.archiveBytes = (await text(archive)).length;
await container.kill();
[seen.stdout, seen.stderr] = await output;
seen.status = (await container.wait()).StatusCode;
await container.remove();
await new Promise((resolve) => setTimeout(resolve, 200));
events.destroy();
seen.actions = actions.filter((action) => !action.startsWith("exec"));
console.log(JSON.stringify(seen));
