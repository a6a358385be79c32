// What a server says of itself where SageMaker's answers name an AWS account.
#pragma once

#include <string>
#include <vector>

namespace tidemark::sagemaker {

struct Settings {
  std::string account_id = "123456789012";  // in ARNs: twelve digits
  std::string region = "us-east-1";         // in ARNs, and in the bucket's name below
  /// Beginnings of S3Uri that stand for the store's own folder, whatever bucket they name: offline stores are
  /// tables of this server. Without any: `s3://tidemark` and the bucket that the SageMaker SDK would make,
  /// `s3://sagemaker-<region>-<account>`. A path within the store's folder, also as file://, always does.
  std::vector<std::string> s3_uris = {};
};

}  // namespace tidemark::sagemaker
