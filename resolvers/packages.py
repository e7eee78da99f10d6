import strawberry

from gateway.agencies.packages import (
    PackageTerms,
    archive_credit_package,
    create_credit_package,
    update_credit_package,
)
from resolvers.guards import AGENCY, mutation
from schema.context import Info
from schema.packages import (
    ArchiveCreditPackageInput,
    ArchiveCreditPackagePayload,
    CreateCreditPackageInput,
    CreateCreditPackagePayload,
    CreditPackage,
    UpdateCreditPackageInput,
    UpdateCreditPackagePayload,
)


@strawberry.type
class PackageMutations:
    @mutation(
        CreateCreditPackagePayload,
        allow=AGENCY,
        description="Offer a package. Refused when a credit, bonus counted, falls under the floor.",
    )
    async def create_credit_package(
        self, info: Info, input: CreateCreditPackageInput
    ) -> CreateCreditPackagePayload:
        package = await create_credit_package(
            info.context.runtime,
            info.context.viewer,
            agency_id=input.agency_id,
            terms=PackageTerms(
                name=input.name,
                credits=input.credits,
                bonus_credits=input.bonus_credits,
                price=input.price,
                validity_days=input.validity_days,
                position=input.position,
                visibility=input.visibility,
            ),
        )
        return CreateCreditPackagePayload(package=CreditPackage.from_row(package))

    @mutation(
        UpdateCreditPackagePayload,
        allow=AGENCY,
        description="Change a package; purchases that have begun keep its old terms.",
    )
    async def update_credit_package(
        self, info: Info, input: UpdateCreditPackageInput
    ) -> UpdateCreditPackagePayload:
        context = info.context
        package = await update_credit_package(
            context.runtime, context.viewer, package_id=input.package_id, change=input.change()
        )
        return UpdateCreditPackagePayload(package=CreditPackage.from_row(package))

    @mutation(
        ArchiveCreditPackagePayload,
        allow=AGENCY,
        description="Take a package off the shelf for ever; again is the same.",
    )
    async def archive_credit_package(
        self, info: Info, input: ArchiveCreditPackageInput
    ) -> ArchiveCreditPackagePayload:
        context = info.context
        package = await archive_credit_package(
            context.runtime, context.viewer, package_id=input.package_id
        )
        return ArchiveCreditPackagePayload(package=CreditPackage.from_row(package))
