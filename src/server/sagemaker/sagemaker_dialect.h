// SageMaker Feature Store on the wire: both of its APIs, as boto3 and the SageMaker SDKs call them.
//
//   POST /                                   the control plane, by X-Amz-Target (control.h)
//   /FeatureGroup/{group}, /BatchGetRecord, /BatchWriteRecord     the runtime (runtime.h)
#pragma once

#include <cstddef>
#include <memory>

#include "server/catalog/services.h"
#include "server/http/route.h"
#include "server/sagemaker/settings.h"

namespace tidemark::sagemaker {

/// `services` outlives it.
std::shared_ptr<http::Dialect> MakeDialect(server::Services& services, Settings settings,
                                           std::size_t json_depth_max);

}  // namespace tidemark::sagemaker
