"""Puts a text into a bucket and reads it again, then looks at another bucket: client.py BUCKET OTHER. Where and as whom say the AWS_* variables."""
import sys

import boto3
from botocore.exceptions import ClientError

mine, other = sys.argv[1:3]
s3 = boto3.client("s3")
s3.put_object(Bucket=mine, Key="hello.txt", Body=b"Hello from a program.")
print(f"{mine}/hello.txt:", s3.get_object(Bucket=mine, Key="hello.txt")["Body"].read().decode())
try:
    s3.list_objects_v2(Bucket=other)
    print(f"{other}: open to this key")
except ClientError as error:
    print(f"{other}:", error.response["Error"]["Code"])
