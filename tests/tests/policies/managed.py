"""Prints the policies that AWS itself manages, name to document, as JSON: managed.py REQUIREMENTS. Nothing of the package is run."""
import ast, glob, json, subprocess, sys, tempfile, zipfile

pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--retries", "1", "--timeout", "15"]
with tempfile.TemporaryDirectory() as wheels:
    what = ["--no-deps", "--only-binary", ":all:", "--require-hashes", "--requirement", sys.argv[1], "--dest", wheels]
    subprocess.run(pip + what, check=True, stdout=sys.stderr)
    source = zipfile.ZipFile(glob.glob(wheels + "/*.whl")[0]).read("moto/iam/aws_managed_policies.py")
for statement in ast.parse(source).body:
    if isinstance(statement, ast.Assign) and statement.targets[0].id == "aws_managed_policies_data":
        policies = json.loads(ast.literal_eval(statement.value))
        json.dump({name: policy["Document"] for name, policy in policies.items()}, sys.stdout)
