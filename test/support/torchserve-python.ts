/** The Python with TorchServe that `npm test` sets up. Throws when a test is run without it. */
export function torchServePython(): string {
  const python = process.env["VERTEX_DIFFUSION_PYTHON"];
  if (python !== undefined && python !== "") return python;
  throw new Error(
    'This test starts a real TorchServe: set VERTEX_DIFFUSION_PYTHON to a Python with torchserve, or run "npm test", which does.',
  );
}
